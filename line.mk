# The line as the workflows of data and of models run it; by hand it does the same. Included by the Makefile.

.PHONY: data
data: $(READY)  ## take data in, show what moved, train on it and put it before checks/
	$(BIN)/python flows/ingest.py run
	$(BIN)/proveout distributions --html reports/distributions.html
	$(BIN)/python flows/train.py run

.PHONY: model
model: $(READY)  ## train, put the candidate before checks/, then put checks/ to the test with broken variants of it
	$(BIN)/python flows/ingest.py run
	$(BIN)/python flows/train.py run
	$(BIN)/proveout challenge

# Where the ledger is shared, the same data and configuration give the same bundle there: it is judged once more, by the
# gate whose key is trusted there, and runs beside the champion without answering anybody.
.PHONY: shadow
shadow: $(READY)  ## the newest model beside the champion of a shared ledger, approved by APPROVER if there is one
	@test -n "$$PROVEOUT_LEDGER_URL" || { echo "nothing to run beside: PROVEOUT_LEDGER_URL names no shared ledger"; exit 0; }; \
	set -e; \
	$(BIN)/python flows/ingest.py run; \
	$(BIN)/python flows/train.py run; \
	$(BIN)/proveout status > /dev/null || { echo 'nothing serves yet: release the first by hand: proveout release BUNDLE --reason "…"'; exit 0; }; \
	bundle=$$($(BIN)/proveout bundles --json | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)[0]["bundle"]["digest"])'); \
	test -z "$$PROVEOUT_APPROVER_KEY" || $(BIN)/proveout approve "$$bundle" --by "$$APPROVER" --reason "reviewed in $${GITHUB_REF:-a checkout}"; \
	$(BIN)/proveout release "$$bundle" --as shadow --reason "$${GITHUB_SHA:-a checkout}: beside the champion before it answers"
