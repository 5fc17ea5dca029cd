"""Servers and services on this machine: start, watch and stop them as children of one process."""
