"""What is behind `proofgrad.verifiers.server`. All but wire.py and replies.py need FastAPI, uvicorn, prometheus_client.

process.py    a listening socket, uvicorn, signals, draining
app.py        the routes and their OpenAPI document
guard.py      who may come in, under which name; counts what went out
wire.py       bodies in, bodies out: strict JSON, shapes, refusals
stream.py     a batch's verdicts, written as they come
service.py    the verifiers' pool and what belongs to it
gate.py       admission, waiting, cancelling, giving up
metrics.py    what Prometheus reads
"""
