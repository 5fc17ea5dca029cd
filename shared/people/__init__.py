"""Who may do what: users, sessions, tokens, the brake on guessing, the audit.

Called by the Journal for every request and by the command line; all functions take a connection.
"""
