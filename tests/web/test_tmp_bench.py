import threading, time, json
import pytest
from services.journal.runner import Runner
from shared.db.connect import connect
from tests.web.conftest import Site
pytestmark = [pytest.mark.servers, pytest.mark.timeout(1200)]
def test_bench(site):
    c = site.conn
    c.execute("""INSERT INTO records(interface, flow, key, stage, state, code, seq, changed_at, data_hash, ordered_at, marketplace_id)
      SELECT 'otto-de','order-import','k'||n,'erp', CASE WHEN n%3=0 THEN 'failed' ELSE 'done' END, CASE WHEN n%3=0 THEN 'remote-timeout' END, 3, now(), gen_random_uuid(), now(), 'm'||n FROM generate_series(1,300000) n""")
    c.execute("INSERT INTO payloads(record_id, no, body) SELECT id, 1, '{}' FROM records")
    c.execute("VACUUM ANALYZE records"); 
    url = site.journal.pool.conninfo
    api = site.api("operator")
    body = {"filter": "state:failed"}
    for _ in range(3):
        t=time.perf_counter(); r=api.post("/api/v1/orders/retry", json=body|{"dry_run":True}); print("preview", round(time.perf_counter()-t,3), r.json()["counts"])
    for _ in range(3):
        t=time.perf_counter(); r=api.post("/api/v1/orders/retry", json=body|{"undo_seconds": 3600}); print("post", round(time.perf_counter()-t,3), r.json()["counts"], r.json()["state"])
        t=time.perf_counter(); x=api.post(f"/api/v1/bulk/{r.json()['id']}/cancel"); print("cancel", round(time.perf_counter()-t,3), x.json()["state"])
    stop = threading.Event()
    threading.Thread(target=Runner(lambda: connect(url, "runs"), site.journal.zone, lambda n: None).run, args=(lambda: None, stop.is_set, stop.wait), daemon=True).start()
    t0=time.perf_counter(); run=api.post("/api/v1/orders/retry", json=body|{"undo_seconds": 0}).json(); print("post", round(time.perf_counter()-t0,3), run["counts"])
    def work():
        with connect(url, "w") as w:
            while not stop.is_set():
                w.execute("UPDATE records SET state='done', seq=seq+1, due_at=NULL WHERE id = ANY(ARRAY(SELECT id FROM records WHERE stage='erp' AND interface='otto-de' AND due_at <= now() LIMIT 500))")
                time.sleep(0.05)
    threading.Thread(target=work, daemon=True).start()
    last=None; reads=[]
    while time.perf_counter()-t0 < 400:
        a=time.perf_counter(); got=api.get(f"/api/v1/bulk/{run['id']}").json(); reads.append(time.perf_counter()-a)
        p=got["progress"]
        if int(time.perf_counter()-t0)%10==0 and last!=p["settled"]: print(round(time.perf_counter()-t0,1), got["state"], p, "read", round(reads[-1],3)); last=p["settled"]
        if got["state"]=="done": break
        time.sleep(1)
    print("DONE", round(time.perf_counter()-t0,1), got["state"], got["progress"], "reads p50", sorted(reads)[len(reads)//2], "max", max(reads))
    stop.set()
