"""The contract over a real socket, with workers at work: what a client of old does, from start to end."""

from __future__ import annotations

import httpx
import pytest

from tests.processes import wait_for

pytestmark = pytest.mark.cluster


def test_a_client_of_old_goes_on_working(start_hub):
    hub = start_hub()
    wait_for(hub.works)
    with httpx.Client(base_url=hub.address) as client:
        walk(client)


def walk(client: httpx.Client) -> None:
    health = client.get("api/health").json()
    assert (health["status"], health["queue_running"], health["total_tasks"]) == ("healthy", True, 0)

    quick = client.post(
        "api/tasks/submit", json={"task_type": "DATA_PROCESSING", "parameters": {"num_rows": 100, "processing_time": 0}}
    )
    assert (quick.status_code, quick.json()["status"], quick.json()["progress"]) == (201, "PENDING", 0)
    done = ended(client, quick.json()["id"])
    assert (done["status"], done["progress"], done["error_message"]) == ("SUCCESS", 100, None)
    assert done["result_data"]["rows_processed"] == 100
    assert done["started_at"] <= done["completed_at"]
    assert client.delete(f"api/tasks/{done['id']}").status_code == 400
    assert client.post(f"api/tasks/{done['id']}/retry").status_code == 400

    slow = {"task_type": "EMAIL_SIMULATION", "parameters": {"num_emails": 50, "delay_per_email": 5}}
    running = client.post("api/tasks/", json=slow).json()["id"]
    wait_for(lambda: client.get(f"api/tasks/{running}").json()["status"] == "RUNNING")
    cancelled = client.delete(f"api/tasks/{running}")
    assert cancelled.json() == {"message": "Task cancelled successfully", "task_id": running}
    assert client.get(f"api/tasks/{running}").json()["status"] == "CANCELLED"
    again = client.post(f"api/tasks/{running}/retry")
    assert again.status_code == 201
    assert client.delete(f"api/tasks/{again.json()['id']}").status_code == 200

    listed = client.get("api/tasks/").json()
    assert [task["id"] for task in listed] == [again.json()["id"], running, done["id"]]
    assert [task["id"] for task in client.get("api/tasks/?status=SUCCESS&task_type=DATA_PROCESSING").json()] == [
        done["id"]
    ]
    assert client.get("api/tasks/?status=LOST").status_code == 422

    assert client.post("api/tasks/submit", json={"task_type": "UNHEARD_OF"}).status_code == 422
    assert client.post("api/tasks/submit", content="{", headers={"Content-Type": "application/json"}).status_code == 400
    assert client.get("api/tasks/submit").status_code == 405
    assert client.get("api/tasks/no-id").status_code == 404
    assert client.get("").status_code == client.get("docs").status_code == 200


def ended(client: httpx.Client, task_id: str) -> dict[str, object]:
    def look() -> dict[str, object] | None:
        task = client.get(f"api/tasks/{task_id}").json()
        return task if task["status"] in {"SUCCESS", "FAILED", "CANCELLED"} else None

    return wait_for(look, 60)
