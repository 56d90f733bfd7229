"""locust: one GET by each user, again and again; with LOCUST_RATE, so many a second by each."""

import os

from locust import FastHttpUser, constant_pacing, constant_throughput, task

RATE = os.environ.get("LOCUST_RATE")
PAUSE = os.environ.get("LOCUST_PAUSE")


class Asking(FastHttpUser):
    if RATE:
        wait_time = constant_throughput(float(RATE))
    elif PAUSE:
        wait_time = constant_pacing(float(PAUSE))

    @task
    def ask(self):
        with self.client.get("/", catch_response=True) as answer:
            if answer.status_code != 200 or "xxxx" not in answer.text:
                answer.failure("another answer")
