"""One module for each kind of hidden dependency. `audit.all_rules` finds them."""
