"""Who there is: companies, users with their passwords, and who is what in which company."""
