"""`proveout demo`: a project goes once through the whole line, from raw data to a served and watched model."""
