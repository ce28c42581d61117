"""Data: sources, snapshots, profiles, the guard and features. Training and serving share this room."""
