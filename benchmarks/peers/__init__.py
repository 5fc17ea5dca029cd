"""What people would build instead of Connect: the same job with Celery, Dramatiq, FastStream, kombu and pika."""
