"""Orders that are long over, in Parquet files: written, verified, taken out of the database, brought back (ADR 45).

choose ─▶ write (a slice of orders: locked, without their person, read) ─▶ folder renamed
   ─▶ verified ─▶ take out (a slice: the same rows still there? deleted, noted in `archived`) ─▶ restore, if ever
"""
