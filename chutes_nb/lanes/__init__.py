"""How an attempt is started, stopped and adopted, one module a kind of executor."""
