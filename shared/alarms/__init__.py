"""Alarms: facts per minute become incidents, incidents become mails to those who asked for them.

`incidents` and `plan` are pure and the same for the running service and for the look back.
"""
