# The line as the workflows of data and of models run it; by hand it does the same. Included by the Makefile.

# A virtual environment cannot lie below a colon, and its commands are lines of a shell, where these mean something else
# within quotes, too. Nothing here has run yet.
ifneq ($(shell case "$$PWD" in (*[:\"\`\$$\\]*|*$$'\n'*) echo no;; esac),)
$(error Nothing was done: the path of this folder has a colon, a double quote, a backquote, a dollar sign, a backslash or a line end in it, which a virtual environment cannot carry. Move the folder, then run make again)
endif

.PHONY: data
data: $(READY)  ## take data in, show what moved, train on it and put it before checks/
	$(BIN)/python flows/ingest.py run
	$(BIN)/proveout data report --html reports/distributions.html
	$(BIN)/python flows/train.py run

.PHONY: model
model: $(READY)  ## train, put the candidate before checks/, then put checks/ to the test with broken variants of it
	$(BIN)/python flows/ingest.py run
	$(BIN)/python flows/train.py run
	$(BIN)/proveout mutate

# Where the ledger is shared, the same data and configuration give the same bundle there. Two targets, because two keys
# are needed that nobody should hold at once: the gate's, which signs approvals, and a person's, which answers for them.
.PHONY: candidate
candidate: $(READY)  ## train into the shared ledger, before the gate whose key is trusted there
	@test -n "$$PROVEOUT_LEDGER_URL" || { echo "nothing to do: PROVEOUT_LEDGER_URL names no shared ledger"; exit 0; }; \
	$(BIN)/python flows/ingest.py run && $(BIN)/python flows/train.py run

.PHONY: shadow
shadow: $(READY)  ## the newest model of the shared ledger beside its champion, approved by APPROVER if there is one
	@test -n "$$PROVEOUT_LEDGER_URL" || { echo "nothing to run beside: PROVEOUT_LEDGER_URL names no shared ledger"; exit 0; }; \
	$(BIN)/proveout status > /dev/null || { echo 'nothing serves yet: release the first by hand: proveout release BUNDLE --reason "…"'; exit 0; }; \
	bundle=$$($(BIN)/proveout bundles --json | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)[0]["bundle"]["digest"])') || exit; \
	test -z "$$PROVEOUT_APPROVER_KEY" || $(BIN)/proveout approve "$$bundle" --by "$$APPROVER" --reason "reviewed: $${GITHUB_SHA:-a checkout}" --yes || exit; \
	$(BIN)/proveout release "$$bundle" --as shadow --reason "beside the champion before it answers: $${GITHUB_SHA:-a checkout}"
