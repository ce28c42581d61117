"""Generated: requests made from the schema, and what has to hold of every answer to them."""
