"use strict";
(() => {
  const form = document.getElementById("request");
  const answer = document.getElementById("answer");
  const trouble = document.getElementById("trouble");
  const opinion = document.getElementById("opinion");
  const key = document.getElementById("key");
  let asked = "";
  let asInt = false;

  const headers = () => {
    const found = { "content-type": "application/json" };
    // The key stays in its input: never in storage, URL or log.
    if (key && key.value.trim()) found["x-api-key"] = key.value.trim();
    return found;
  };
  const say = (id, text) => { document.getElementById(id).textContent = text; };
  const percent = (share) => (share * 100).toFixed(1).replace(/\.0$/, "") + " %";
  const listed = (id, texts) => {
    const list = document.getElementById(id);
    list.replaceChildren(...texts.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
  };

  const formatted = (value, prediction) => {
    if (value === null) return "no prediction";
    if (form.dataset.task === "regression") {
      const shown = (number) => Number(number.toPrecision(4)).toString();
      if (prediction.low === null) return shown(value);
      const chance = prediction.coverage === null ? "" : `, in ${percent(prediction.coverage)} of the cases`;
      return `${shown(value)} (${shown(prediction.low)} to ${shown(prediction.high)}${chance})`;
    }
    const chance = prediction.probability === null ? "" : ` (${percent(prediction.probability)})`;
    return (form.dataset.task === "binary" ? (value ? "yes" : "no") : String(value)) + chance;
  };
  // The outcome, as the same type as the prediction.
  const outcome = (text) => {
    if (form.dataset.task === "binary") return text === "true";
    return form.dataset.task === "regression" || asInt ? Number(text) : text;
  };

  const filled = () => {
    const record = { explain: true };
    for (const field of form.querySelectorAll("[data-kind]")) {
      field.removeAttribute("aria-invalid");
      const text = field.value;
      if (text === "") { if (field.dataset.needed) record[field.name] = null; continue; }
      const kind = field.dataset.kind;
      if (kind === "int" || kind === "float") record[field.name] = Number(text);
      else if (kind === "bool") record[field.name] = text === "true";
      else record[field.name] = text;
    }
    return record;
  };

  const refuse = (problem) => {
    answer.hidden = true;
    opinion.hidden = true;
    trouble.hidden = false;
    say("trouble-title", problem.title || "No answer");
    say("trouble-detail", problem.detail || "");
    const problems = problem.problems || [];
    listed("trouble-list", problems.map((one) => `${one.field}: expected ${one.expected}, got ${one.got}`));
    let first = null;
    for (const one of problems) {
      const field = form.querySelector(`[data-kind][name="${CSS.escape(one.field)}"]`);
      if (field) { field.setAttribute("aria-invalid", "true"); first = first || field; }
    }
    (first || trouble).focus();
  };

  const show = (given) => {
    trouble.hidden = true;
    answer.hidden = false;
    opinion.hidden = false;
    document.getElementById("opinion-form").reset();
    say("opinion-said", "");
    asked = given.request_id;
    const name = form.dataset.target;
    say("said", `${name}: ${formatted(given.prediction[name], given.prediction)}`);
    asInt = Number.isInteger(given.prediction[name]);
    say("action", given.action || "–");
    say("confidence", given.confidence === null ? "not known"
      : `${given.confidence.level}: such an answer was right in ${percent(given.confidence.share)} of the cases`);
    const sources = { model: "the model", cache: "the model, a moment ago", rules: "simple rules, not the model",
      none: "no source: neither the model nor the rules have an answer" };
    say("by", sources[given.answered_by] + (given.fallback_reason ? ` (${given.fallback_reason})` : ""));
    say("release", given.release);
    say("id", given.request_id);
    const reasons = given.reasons || [];
    listed("reasons", reasons.length ? reasons.map((one) => one.text) : ["none: " + (given.reasons_missing || "nothing stands out")]);
  };

  const ask = async (path, body) => {
    const response = await fetch(path, { method: "POST", headers: headers(), body: JSON.stringify(body) });
    const said = await response.json();
    if (!response.ok) throw said;
    return said;
  };
  const attempt = async (button, work) => {
    button.disabled = true;
    try { await work(); } catch (error) {
      refuse(error instanceof Error ? { title: "The server cannot be reached", detail: "Try again in a moment." } : error);
    } finally { button.disabled = false; }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(document.getElementById("ask"), async () => show(await ask("/predict", filled())));
  });
  document.getElementById("opinion-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const happened = document.getElementById("outcome").value;
    const said = { request_id: asked, wrong: true, text: document.getElementById("opinion-text").value };
    if (happened) said.outcome = outcome(happened);
    attempt(document.getElementById("opinion-send"), async () => {
      await ask("/feedback", said);
      say("opinion-said", "Thank you. Your feedback is stored with the answer.");
    });
  });
})();
