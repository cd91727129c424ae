"""The routes. Each module makes the router of one resource from the rooms that it needs."""
