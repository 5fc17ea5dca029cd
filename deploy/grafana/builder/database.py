"""PostgreSQL, by postgres_exporter; and what Connect says of it by itself."""

from __future__ import annotations

from deploy.grafana.builder.board import Board
from deploy.grafana.builder.panel import AMBER, GREEN, RED, Query, graph, stat

OF = '{datname=~"$database"}'


def board() -> Board:
    """The dashboard."""
    return Board("database", "database", "Load, connections and size of PostgreSQL, and what lags behind it.", {
        "Now": [
            stat("PostgreSQL answers", "postgres_exporter can log in.", Query("min(pg_up)"),
                 words=((0, "no", RED), (1, "yes", GREEN)), steps=((1, GREEN),), below=RED, unit="none"),
            stat("Connections", "Share of those that it allows.",
                 Query("sum(pg_stat_activity_count) / max(pg_settings_max_connections)"), unit="percentunit",
                 steps=((0.7, AMBER), (0.85, RED))),
            stat("Longest transaction", "Behind it, dead rows cannot be cleared away.",
                 Query("max(pg_stat_activity_max_tx_duration)"), unit="s", steps=((300, AMBER), (900, RED))),
            stat("Size", "Of the database.", Query(f"sum(pg_database_size_bytes{OF})"), unit="bytes"),
            stat("Figures are from", "How long ago a Journal read what metrics show of records.",
                 Query("time() - connect:rollup_timestamp_seconds:max"), unit="s", steps=((30, AMBER), (120, RED))),
            stat("Searches behind", "Records that the index of texts is behind with.",
                 Query("max(connect_search_notes)"), unit="none", steps=((1000, AMBER), (20000, RED)))
            .linked("Orders", "${journal}/orders"),
        ],
        "Load": [
            graph("Transactions a second", "Committed, and rolled back.",
                  Query(f"sum(rate(pg_stat_database_xact_commit{OF}[5m]))", "committed"),
                  Query(f"sum(rate(pg_stat_database_xact_rollback{OF}[5m]))", "rolled back"), unit="ops"),
            graph("Rows a second", "Inserted, changed, deleted.",
                  Query(f"sum(rate(pg_stat_database_tup_inserted{OF}[5m]))", "inserted"),
                  Query(f"sum(rate(pg_stat_database_tup_updated{OF}[5m]))", "changed"),
                  Query(f"sum(rate(pg_stat_database_tup_deleted{OF}[5m]))", "deleted"), unit="rowsps"),
            graph("Found in memory", "Share of pages that were not read from disk.",
                  Query(f"sum(rate(pg_stat_database_blks_hit{OF}[5m])) / (sum(rate(pg_stat_database_blks_hit{OF}[5m]))"
                        f" + sum(rate(pg_stat_database_blks_read{OF}[5m])))", "in memory"), unit="percentunit"),
            graph("Connections by state", "Idle in a transaction should be none.",
                  Query(f"sum by (state) (pg_stat_activity_count{OF})", "{{state}}"), unit="none", stacked=True),
        ],
        "Trouble": [
            graph("Deadlocks and conflicts in 5 minutes", "Should be none.",
                  Query(f"sum(increase(pg_stat_database_deadlocks{OF}[5m]))", "deadlocks"),
                  Query(f"sum(increase(pg_stat_database_conflicts{OF}[5m]))", "conflicts"), unit="none",
                  steps=((1, AMBER),)),
            graph("Locks", "By mode.", Query(f"sum by (mode) (pg_locks_count{OF})", "{{mode}}"), unit="none"),
        ],
    }, {"database": 'label_values(pg_database_size_bytes{datname!~"template.*|postgres"}, datname)'})  # fmt: skip
