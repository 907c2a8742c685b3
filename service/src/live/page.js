// What the page shows of each document, and the stream that brings one a second.
// Never here: how a number is written or a line is drawn (drawing.js).

// --- what is wrong ----------------------------------------------------------------------------

/** Fewer events than this say little about a share. */
const FEW = 20;

const share = (part) => (part.all > 0 ? part.good / part.all : null);

/** How a path's last minute stands against its objective. */
function pathMark(path) {
  const now = share(path.minute);
  if (now === null || now >= path.objective) return now === null ? "" : "t-good";
  return path.minute.all < FEW ? "t-warn" : "t-bad";
}

const isLate = (stage) =>
  (stage.on_time !== null && stage.on_time < stage.objective) ||
  (stage.depth > 0 && stage.oldest_ms > stage.lateness_ms);

/** Everything that somebody should look at, the worst first: [bad or warn, where, what]. */
function findings(is) {
  const found = [];
  const bad = (where, what) => found.push(["bad", where, what]);
  const warn = (where, what) => found.push(["warn", where, what]);
  for (const what of is.missing) bad("now", `Not ready: ${what}.`);
  for (const path of is.journeys) {
    const mark = pathMark(path);
    if (mark === "t-bad" || mark === "t-warn") {
      (mark === "t-bad" ? bad : warn)("paths", `${words(path.name)}: ${percent(share(path.minute))} of ${whole(path.minute.all)} within ${duration(path.threshold_ms)} in the last minute, ${objective(path.objective)} is the objective.`);
    } else if (path.budget_left < 0) {
      warn("paths", `${words(path.name)}: within its objective now, but its budget since the start is overspent.`);
    }
  }
  for (const stage of is.flow.stages.filter((stage) => stage.held)) {
    bad("flow", `${stage.name}: held by an operator, nothing goes through until it is opened.`);
  }
  for (const stage of is.flow.stages.filter((stage) => stage.moves || stage.depth > 0)) {
    if (stage.depth > 0 && stage.oldest_ms > stage.lateness_ms) {
      bad("flow", `${stage.name}: ${whole(stage.depth)} wait, the oldest for ${duration(stage.oldest_ms)}; ${duration(stage.lateness_ms)} is on time.`);
    } else if (isLate(stage)) {
      warn("flow", `${stage.name}: ${percent(stage.on_time)} on time in the last minute, ${objective(stage.objective)} is the objective.`);
    }
  }
  const sum = is.flow.sum;
  if (sum.unaccounted) bad("flow", `${whole(Math.abs(sum.unaccounted))} texts are neither at the provider nor recorded, for thirty seconds.`);
  for (const { kind, promises } of sum.residuals.filter((residual) => residual.promises > 0)) {
    const what = { unbalanced: "counts of a day and rule", uncompared: "practices" }[kind] ?? "reminders";
    bad("flow", `Reconciliation: ${whole(promises)} ${what} ${kind}; /admin/residuals names them.`);
  }
  if (sum.reconciled_until !== null && is.at - sum.reconciled_until > 2 * sum.round_ms) {
    bad("flow", `Reconciliation is behind: the last reminder had its turn ${duration(is.at - sum.reconciled_until)} ago.`);
  }
  if (sum.violations) bad("flow", `Conservation: ${whole(sum.violations)} violations at the last audit.`);
  if (sum.stranded) bad("flow", `${whole(sum.stranded)} rows lie below a floor, where no stage looks.`);
  for (const pool of is.pools.filter((pool) => pool.waiting > 0)) {
    const who = pool.holders.map((holder) => `${holder.held} × ${holder.name}`).join(", ") || "nobody that is known";
    (pool.used >= pool.max ? bad : warn)("pools", `Pool ${pool.name}: ${pool.waiting} wait; ${pool.used} of ${pool.max} connections in use, held by ${who}.`);
  }
  if (is.database) {
    if (is.database.blocked_sessions > 0) warn("database", `${whole(is.database.blocked_sessions)} sessions wait for a lock.`);
    if (is.database.oldest_transaction_ms > 60000) warn("database", `A transaction has been open for ${duration(is.database.oldest_transaction_ms)}.`);
    for (const replica of is.database.replicas.filter((replica) => replica.lag_ms > 10000)) {
      warn("database", `Replica ${replica.name} is ${duration(replica.lag_ms)} behind.`);
    }
    const servers = is.database.servers;
    if (servers.length > 0 && !servers.some((server) => server.part === "leads")) bad("database", "No database server is written to.");
    for (const server of servers.filter((server) => server.part === "not_read")) {
      warn("database", `Replica ${server.name} is not read: ${whyNotRead(server)}.`);
    }
  }
  // A probe that is told "not yet" got the right answer.
  const asked = is.endpoints.filter((endpoint) => endpoint.name !== "read_readiness");
  for (const endpoint of asked.filter((endpoint) => endpoint.minute.failed > 0)) {
    warn("endpoints", `${endpoint.name}: ${whole(endpoint.minute.failed)} failed or shed in the last minute.`);
  }
  for (const limit of is.limits.filter((limit) => limit.used >= 0.9 && !limit.forgets)) {
    warn("limits", `${words(limit.name)}: ${percent(limit.used)} of the bound in use.`);
  }
  return found.sort(([a], [b]) => (a === b ? 0 : a === "bad" ? -1 : 1));
}

function whyNotRead(server) {
  if (server.is_left_alone) return "it failed again and again";
  if (server.seen_ms === null) return "it was never reached";
  if (server.seen_ms > 5000) return `it was last seen ${duration(server.seen_ms)} ago`;
  return "it is behind, or follows another primary";
}

let said = "";

function verdict(is) {
  const found = findings(is);
  const events = is.journeys.reduce((sum, path) => sum + path.minute.all, 0);
  const worst = found.length === 0 ? "good" : found[0][0];
  const titles = {
    good: events > 0 ? "✓ All critical paths are within their objectives." : "✓ Nothing is wrong, and nothing has happened in the last minute.",
    warn: "▲ Worth a look:",
    bad: "✕ Something is wrong:",
  };
  document.title = `${worst === "good" ? "✓" : worst === "warn" ? "▲" : "✕"} Punctual live`;
  // Said again only when it is something else: readers of screens are told of every change.
  const now = JSON.stringify([worst, titles[worst], found]);
  if (now === said) return;
  said = now;
  const host = $("verdict");
  setClass(host, `verdict ${worst}`);
  const list = make("ul");
  for (const [, where, what] of found) {
    const item = make("li");
    const link = make("a", "", what);
    link.href = `#${where}`;
    item.append(link);
    list.append(item);
  }
  host.replaceChildren(make("p", "", titles[worst]), ...(found.length ? [list] : []));
}

// --- sections ---------------------------------------------------------------------------------

function process(is) {
  const { id, version, profile, deployed_at, uptime_seconds, resident_bytes, processors } = is.process;
  const deployed = deployed_at ? `, deployed ${day(deployed_at)} UTC` : "";
  write($("process"), `One process, as it sees itself: ${id}, version ${version} (${profile})${deployed}, up ${duration(uptime_seconds * 1000)}, ${bytes(resident_bytes)} of memory, ${processors.toFixed(2)} processors.`);
}

const PATHS = [
  { label: "Path", draw: (cell, path) => { titled(cell, words(path.name), path.help); cell.title = path.name; } },
  { label: "Good, last minute", class: "big", mark: pathMark, text: (path) => percent(share(path.minute)) },
  { label: "Objective", text: (path) => `${objective(path.objective)} in ${duration(path.threshold_ms)}` },
  { label: "p50", text: (path) => duration(path.minute.p50_ms) },
  { label: "p99", mark: (path) => (path.minute.p99_ms > path.threshold_ms ? "t-warn" : ""), text: (path) => duration(path.minute.p99_ms) },
  { label: "Good, since start", draw: (cell, path) => titled(cell, percent(share(path)), `of ${whole(path.all)}`) },
  { label: "Budget left", mark: (path) => (path.budget_left < 0 ? "t-bad" : path.budget_left < 0.25 && path.budget_left !== null ? "t-warn" : ""), text: (path) => (path.budget_left === null ? NONE : path.budget_left < 0 ? "overspent" : percent(path.budget_left)) },
  { label: "A second, two minutes", left: true, class: "drawn", draw: (cell, path) => spark(cell, path.line, path.bad_line, words(path.name)) },
];

/** A stage as a step of the flow; what fell due is the first of them. */
function step(is, stage) {
  const window = is.window > 0 ? is.window : 1;
  if (!stage) {
    const lately = is.flow.due_line.slice(-60).reduce((sum, n) => sum + n, 0);
    return { name: "due", title: "due", rate: lately / Math.min(60, window), line: is.flow.due_line, late: false, help: "Reminders whose time has come, by the plan.", notes: [["since start", whole(is.flow.due), ""]] };
  }
  const title = stage.name === "receive" ? "receipt" : stage.name;
  const waits = stage.depth > 0 && stage.oldest_ms > stage.lateness_ms ? "t-bad" : "";
  const late = stage.on_time !== null && stage.on_time < stage.objective ? "t-bad" : "";
  const notes = [];
  // What stands before a delivery is what is being delivered, by whichever process.
  if (stage.depth !== null) notes.push([stage.name === "deliver" ? "leased" : "waiting", whole(stage.depth), waits]);
  if (stage.oldest_ms !== null) notes.push(["oldest", stage.depth > 0 ? duration(stage.oldest_ms) : NONE, waits]);
  notes.push(["under way", whole(stage.in_flight), ""]);
  notes.push(["late p99", duration(stage.late_p99_ms), late]);
  notes.push(["on time", percent(stage.on_time), late]);
  notes.push(["failed", whole(stage.failures), ""]);
  notes.push(["since start", whole(stage.items), ""]);
  return { name: stage.name, title, rate: stage.per_second, line: stage.line, late: isLate(stage), help: stage.help, notes };
}

function flow(is) {
  const steps = [step(is, null), ...is.flow.stages.filter((stage) => stage.moves).map((stage) => step(is, stage))];
  each($("stages"), steps, (at) => at.name, () => {
    const item = make("li");
    const rate = make("p", "rate");
    rate.append(make("span"), make("small", "", " /s"));
    item.append(make("h3"), rate, make("div"), make("dl"));
    return item;
  }, (item, at) => {
    const [title, rate, line, notes] = item.children;
    setClass(item, at.late ? "late" : "");
    item.title = at.help;
    write(title, at.title);
    write(rate.firstChild, number(at.rate));
    spark(line, at.line, null, at.title);
    each(notes, at.notes, ([term]) => term, ([term]) => {
      const note = make("div");
      note.append(make("dt", "", term), make("dd"));
      return note;
    }, (note, [, text, mark]) => {
      write(note.lastChild, text);
      setClass(note.lastChild, mark);
    });
  });
  sum(is.flow.sum, is.at);
}

function sum(is, at) {
  const equation = make("p", "equation");
  const part = (n, what, mark) => {
    const span = make("span", mark || "");
    span.append(make("span", "n", whole(n)), ` ${what}`);
    return span;
  };
  equation.append(
    make("strong", "", "Conservation: "), part(is.claimed, "claimed"), " + ", part(is.looked_up, "looked up"), " − ",
    part(is.settled, "settled"), " = ", part(is.in_hand, "in hand"), " of which ", part(is.at_provider, "with the provider"),
  );
  const loose = is.unaccounted;
  equation.append(" · ", loose === null
    ? make("span", "quiet", "what is nowhere is told after half a minute")
    : part(loose, "unaccounted for", loose === 0 ? "t-good" : "t-bad"));
  const wrong = is.residuals.reduce((all, residual) => all + residual.promises, 0);
  const reconciled = is.reconciled_until === null
    ? "Law 1 (every promise has its fate, and the counts balance): the first round of reconciliation is under way."
    : `Law 1 (every promise has its fate, and the counts balance): ${wrong === 0 ? "held" : `${whole(wrong)} out of order`}, all looked at by ${duration(at - is.reconciled_until)} ago.`;
  const audited = is.violations === null
    ? "Not audited by this process; /admin/audit does."
    : `${is.violations === 0 ? "Held" : `${whole(is.violations)} violations`} at the audit ${duration(at - is.audited_at)} ago.`;
  const notes = [reconciled, audited, `${whole(is.ambiguous)} answers lost and being looked up, ${whole(is.stranded)} rows stranded, ${whole(is.stale)} results too late, counts ${duration(is.fold_lag_ms)} behind.`];
  const host = $("sum");
  const text = make("p", wrong || is.violations ? "t-bad" : "quiet", notes.join(" "));
  if (host.textContent !== equation.textContent + text.textContent) host.replaceChildren(equation, text);
}

const STAGES = [
  { label: "Stage", draw: (cell, stage) => titled(cell, stage.name, stage.help) },
  { label: "Items a second", text: (stage) => number(stage.per_second) },
  { label: "Since start", text: (stage) => whole(stage.items) },
  { label: "Waiting", text: (stage) => (stage.depth === null ? NONE : whole(stage.depth)) },
  { label: "On time, last minute", mark: (stage) => (stage.on_time !== null && stage.on_time < stage.objective ? "t-bad" : ""), text: (stage) => percent(stage.on_time) },
  { label: "Late p99", text: (stage) => duration(stage.late_p99_ms) },
  { label: "Failed", text: (stage) => whole(stage.failures) },
];

const POOLS = [
  { label: "Pool", draw: (cell, pool) => titled(cell, pool.name, pool.used_by) },
  { label: "In use", left: true, draw: (cell, pool) => gauge(cell, pool.max > 0 ? pool.used / pool.max : 0, `${pool.used} of ${pool.max}`) },
  { label: "Waiting", mark: (pool) => (pool.waiting > 0 ? "t-bad" : ""), text: (pool) => whole(pool.waiting) },
  { label: "Wait p99, last minute", text: (pool) => duration(pool.wait_p99_ms) },
  { label: "Given up", mark: (pool) => (pool.timeouts > 0 ? "t-warn" : ""), text: (pool) => whole(pool.timeouts) },
  { label: "Held by", left: true, class: "wide", draw: (cell, pool) => holders(cell, pool) },
  { label: "In use, two minutes", left: true, class: "drawn", draw: (cell, pool) => spark(cell, pool.line, null, `pool ${pool.name}`, pool.max) },
];

function holders(cell, pool) {
  if (!cell.firstChild) cell.append(make("div", "chips"));
  const rows = pool.holders.length > 0 ? pool.holders : [{ name: "nobody", held: 0 }];
  each(cell.firstChild, rows, (row) => row.name, () => make("span"), (chip, row) => {
    write(chip, row.held > 0 ? `${row.name} × ${row.held}` : row.name);
  });
}

function database(is) {
  const seen = is.database;
  terms("server", seen ? [
    ["Size", bytes(seen.size_bytes)],
    ["Oldest transaction", duration(seen.oldest_transaction_ms), seen.oldest_transaction_ms > 60000 ? "t-warn" : ""],
    ["Sessions that wait for a lock", whole(seen.blocked_sessions), seen.blocked_sessions > 0 ? "t-warn" : ""],
    ["Replicas that receive the log", whole(seen.replicas.length)],
  ] : [["Not looked at yet", NONE]]);
  table("t-servers", SERVERS, seen ? seen.servers : [], "No server is known by its settings.");
  table("t-replicas", REPLICAS, seen ? seen.replicas : [], "No replica receives the log.");
}

const PARTS = { leads: "is written to", read: "is read", not_read: "is not read" };
const SERVERS = [
  { label: "Server", text: (server) => server.name },
  { label: "Part", left: true, mark: (server) => (server.part === "not_read" ? "t-warn" : ""), text: (server) => PARTS[server.part] },
  { label: "Age of what it shows", text: (server) => (server.staleness_ms === null ? NONE : duration(server.staleness_ms)) },
  { label: "Seen", text: (server) => (server.seen_ms === null ? "never" : `${duration(server.seen_ms)} ago`) },
];

const REPLICAS = [
  { label: "Replica", text: (replica) => replica.name },
  { label: "Behind", mark: (replica) => (replica.lag_ms > 10000 ? "t-warn" : ""), text: (replica) => duration(replica.lag_ms) },
  { label: "Not replayed", text: (replica) => bytes(replica.lag_bytes) },
];

const STATEMENTS = [
  { label: "Statement", draw: (cell, row) => titled(cell, row.name, `${row.file}, ${row.func}`) },
  { label: "Share of all time", left: true, draw: (cell, row) => { gauge(cell, row.share, percent(row.share)); cell.querySelector(".gauge").className = "gauge"; } },
  { label: "Calls a second", text: (row) => number(row.per_second) },
  { label: "Mean", text: (row) => duration(row.mean_ms) },
  { label: "p99", text: (row) => duration(row.p99_ms) },
  { label: "Errors, since start", mark: (row) => (row.errors > 0 ? "t-warn" : ""), text: (row) => whole(row.errors) },
];

const ENDPOINTS = [
  { label: "Endpoint", draw: (cell, row) => titled(cell, row.name, row.tier) },
  { label: "Requests in the last minute", text: (row) => whole(row.minute.all) },
  { label: "Good", mark: pathMark, text: (row) => percent(share(row.minute)) },
  { label: "Objective", text: (row) => `${objective(row.objective)} in ${duration(row.threshold_ms)}` },
  { label: "p50", text: (row) => duration(row.minute.p50_ms) },
  { label: "p99", text: (row) => duration(row.minute.p99_ms) },
  { label: "Failed or shed", mark: (row) => (row.minute.failed > 0 ? "t-bad" : ""), text: (row) => whole(row.minute.failed) },
  { label: "Given up", mark: (row) => (row.minute.aborted > 0 ? "t-warn" : ""), text: (row) => whole(row.minute.aborted) },
];

const LIMITS = [
  { label: "Limit", draw: (cell, row) => titled(cell, words(row.name), row.help) },
  { label: "In use", left: true, draw: (cell, row) => { gauge(cell, row.used ?? 0, percent(row.used)); if (row.forgets) cell.querySelector(".gauge").className = "gauge"; } },
  { label: "Reached since start", mark: (row) => (row.reached > 0 ? "t-warn" : ""), text: (row) => whole(row.reached) },
];

function requests(is) {
  const host = $("requests");
  let empty = host.nextElementSibling;
  if (!empty) {
    empty = make("p", "empty", "None is kept yet.");
    host.after(empty);
  }
  empty.hidden = is.kept.length > 0;
  each(host, is.kept, (kept) => `${kept.trace_id} ${kept.route} ${kept.at}`, request, () => {});
}

/** A kept request never changes, so it is drawn once. */
function request(kept) {
  const box = make("details", "request");
  const head = make("summary");
  const mark = kept.outcome === "failed" || kept.outcome === "aborted" ? "t-bad" : "";
  head.append(make("span", "", clock(kept.at)), make("strong", "", kept.route), make("span", mark, duration(kept.took_ms)),
    make("span", mark, `${kept.outcome}${kept.status ? ` ${kept.status}` : ""}`), make("span", "quiet", kept.why));
  const fall = make("ul", "fall");
  for (const span of kept.spans) {
    const line = make("li");
    const track = make("span", "track");
    const bar = make("i");
    bar.style.left = `${Math.min(99.5, (span.start_ms / kept.took_ms) * 100)}%`;
    bar.style.width = `${Math.min(100, (span.took_ms / kept.took_ms) * 100)}%`;
    track.append(bar);
    const rows = span.rows > 0 ? `, ${whole(span.rows)} rows` : "";
    line.append(make("span", "", `${span.name} (${span.kind}${rows})`), track, make("span", "", duration(span.took_ms)));
    fall.append(line);
  }
  const link = make("a", "", `Trace ${kept.trace_id}`);
  link.href = `/debug/requests/${kept.trace_id}`;
  box.append(head, fall, link);
  return box;
}

function draw(is) {
  verdict(is);
  process(is);
  table("t-paths", PATHS, is.journeys, "");
  flow(is);
  terms("fates", is.fates.map((fate) => [words(fate.name), whole(fate.all), "", fate.per_minute > 0 ? `${number(fate.per_minute)} a minute` : ""]));
  table("t-stages", STAGES, is.flow.stages.filter((stage) => !stage.moves), "");
  table("t-pools", POOLS, is.pools, "");
  database(is);
  table("t-statements", STATEMENTS, is.statements, "No statement was run in the last minute.");
  requests(is);
  table("t-endpoints", ENDPOINTS, is.endpoints, "None was asked for.");
  table("t-limits", LIMITS, is.limits, "None is in use.");
}

// --- the stream -------------------------------------------------------------------------------

/** Events come once a second: after this long without one, what stands here is old. */
const SILENCE_MS = 3500;
/** A browser gives up for good on an answer that is no stream; we ask again after these. */
const RETRY_MS = [2000, 4000, 8000, 15000];

let source = null;
let last = null;
let heardAt = 0;
let failures = 0;

function connect() {
  source = new EventSource("/live/events");
  source.onmessage = (event) => {
    last = JSON.parse(event.data);
    heardAt = performance.now();
    failures = 0;
    draw(last);
    tell();
  };
  source.onerror = () => {
    heardAt = -Infinity;
    tell();
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(connect, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
      failures += 1;
    }
  };
}

function tell() {
  const isLost = performance.now() - heardAt > SILENCE_MS;
  const pill = $("stream");
  document.body.classList.toggle("stale", isLost && last !== null);
  if (!isLost) {
    setClass(pill, "pill good");
    write(pill, "● Live");
    pill.title = clock(last.at);
  } else {
    setClass(pill, "pill bad");
    write(pill, last
      ? `✕ Stream lost, reconnecting. Figures are from ${clock(last.at)}`
      : "✕ No stream yet, connecting");
    if (last) document.title = "✕ stream lost · Punctual live";
  }
}

setInterval(() => { if (heardAt !== 0) tell(); }, 500);
connect();
