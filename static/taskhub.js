/* TaskHub's script: it keeps pages live without disturbing whoever reads them. Everything else works without it. */
"use strict";
(() => {
  const WORDS = JSON.parse(document.querySelector('meta[name="taskhub-words"]').content);
  const fill = (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* --- The `rows` swap: change what differs, keep everything else: ticks, focus, open details, scroll. */

  // Not `node.id`: in a form, that is the field of the name "id".
  const idOf = (node) => node.getAttribute?.("id") ?? "";
  const sameNode = (old, fresh) => old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && idOf(old) === idOf(fresh);

  function patch(old, fresh) {
    if (old.isEqualNode(fresh) || old.dataset?.keep !== undefined) return;
    // A row whose version is the same shows the same.
    if (fresh.dataset?.version && fresh.dataset.version === old.dataset.version) return;
    if (old.nodeType !== Node.ELEMENT_NODE) { old.nodeValue = fresh.nodeValue; return; }
    patchAttributes(old, fresh);
    if (old.dataset.append !== undefined) append(old, fresh);
    else if (idOf(old) === "rows") patchRows(old, fresh);
    else patchChildren(old, fresh);
  }

  // What a person has done to an element is theirs: a poll does not undo it.
  const THEIRS = new Set(["open", "checked", "value", "aria-pressed"]);
  const isTheirs = (element, name) => THEIRS.has(name) && !(name === "value" && element.matches("progress, button, [type=hidden]"));

  function patchAttributes(old, fresh) {
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !isTheirs(old, name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (!isTheirs(old, name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }

  function patchChildren(old, fresh) {
    const byId = new Map([...old.children].filter(idOf).map((child) => [idOf(child), child]));
    let here = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const known = idOf(child) ? byId.get(idOf(child)) : here && !idOf(here) && sameNode(here, child) ? here : null;
      if (known && known.nodeName === child.nodeName) {
        if (known === here) here = here.nextSibling;
        else old.insertBefore(known, here);
        patch(known, child);
      } else old.insertBefore(child, here);
    }
    while (here) { const next = here.nextSibling; if (here.dataset?.keep === undefined) here.remove(); here = next; }
  }

  function append(old, fresh) {
    for (const child of [...fresh.children]) if (!document.getElementById(child.id)) old.append(child);
    // A browser carries so many lines with ease; the whole log is a download.
    while (old.children.length > 10_000) old.firstElementChild.remove();
  }

  /* Rows come and go only while nobody is reading or ticking; else they are announced, and those that left are dimmed. */
  function patchRows(old, fresh) {
    const region = old.closest("[data-newcomers]");
    const freshIds = new Set([...fresh.children].map((row) => row.id));
    const isQuiet = showNext || quiet(old);
    const newcomers = [...fresh.children].filter((row) => !document.getElementById(row.id));
    if (isQuiet || !newcomers.length && [...old.children].every((row) => freshIds.has(row.id))) {
      showNext = false;
      old.querySelectorAll("[data-left]").forEach((row) => row.removeAttribute("data-left"));
      patchChildren(old, fresh);
      announceNewcomers(0);
      return;
    }
    for (const row of fresh.children) { const known = document.getElementById(row.id); if (known) patch(known, row); }
    for (const row of old.children) row.toggleAttribute("data-left", !freshIds.has(row.id));
    announceNewcomers(region ? newcomers.length : 0);
  }

  let showNext = false; // a person asked for the new rows, or acted: show them
  const quiet = (rows) => !$("input:checked", rows) && !rows.contains(document.activeElement) && !rows.matches(":hover") && rows.getBoundingClientRect().top > 0;

  function announceNewcomers(count) {
    const button = $("#newcomers");
    if (!button) return;
    button.hidden = !count;
    button.textContent = count === 1 ? WORDS.newOne : fill(WORDS.newMany, { count });
  }

  htmx.defineExtension("rows", {
    isInlineSwap: (style) => style === "rows",
    handleSwap(style, target, fragment) {
      if (style !== "rows") return false;
      const follows = Log.follows();
      const fresh = fragment.nodeType === Node.ELEMENT_NODE ? fragment : [...fragment.children].find((child) => idOf(child) === idOf(target));
      if (fresh) patch(target, fresh);
      htmx.process(target);
      Log.patched(follows);
      Selection.show();
      tick();
      retitle();
      return [target];
    },
  });

  // The window's title carries the state: it is all one sees of a tab in the background.
  function retitle() { document.title = $("[data-title]")?.dataset.title ?? document.title; }

  /* --- The poller: one timer, the next starts after the answer. */

  const Poller = {
    every: Number(document.body.dataset.every), failures: 0, isAway: false, timer: 0, active: Date.now(), stopped: false,
    regions: () => $$('[hx-trigger="th:poll"]'),
    delay() {
      if (this.failures) return Math.min(30, 2 ** this.failures);
      // Nothing under way and nobody at the keyboard for ten minutes: a slow look is enough.
      const isIdle = Date.now() - this.active > 600_000 && !$("[data-busy]");
      return Math.max(this.every, this.slowest(), isIdle ? 15 : 0);
    },
    // A region may ask for a slower pace: what a page of statistics shows changes slowly.
    slowest() { return Math.max(0, ...this.regions().map((region) => Number(region.dataset.every ?? 0))); },
    isOn() { return this.every > 0 && !this.stopped && !document.hidden && this.regions().length > 0; },
    plan() {
      clearTimeout(this.timer);
      if (this.isOn()) this.timer = setTimeout(() => this.poll(), this.delay() * 1000 * (0.95 + Math.random() * 0.1));
    },
    poll() {
      clearTimeout(this.timer);
      if (!this.isOn()) return;
      this.regions().forEach((region) => htmx.trigger(region, "th:poll"));
      this.plan(); // in case no answer comes; an answer plans anew
    },
    now() { this.failures = 0; this.poll(); },
    answered(ok) {
      if (ok && this.isAway) notice();
      this.isAway = !ok;
      this.failures = ok ? 0 : this.failures + 1;
      if (!ok) notice(fill(WORDS.reconnecting, { count: this.delay() }), WORDS.retryNow, () => this.now());
      this.plan();
    },
    signedOut() {
      this.stopped = true;
      notice(WORDS.signedOut, WORDS.signIn, () => location.reload());
    },
    set(every) {
      this.every = every;
      document.cookie = `every=${every}; path=/; max-age=31536000; samesite=lax`;
      this.show();
      this.plan();
    },
    toggle() { this.set(this.every ? 0 : this.before || 2); if (this.every) this.now(); },
    show() {
      const button = $("#live");
      if (!button) return;
      if (this.every) this.before = this.every;
      button.hidden &&= !this.regions().length;
      button.dataset.tone = this.every ? "good" : "calm";
      button.textContent = this.every ? fill(WORDS.live, { every: Math.max(this.every, this.slowest()) }) : WORDS.paused;
      $$("#every button").forEach((one) => one.setAttribute("aria-pressed", String(Number(one.value) === this.every)));
    },
  };

  const isPoll = (event) => event.detail.elt?.getAttribute?.("hx-trigger") === "th:poll";
  document.addEventListener("htmx:configRequest", (event) => {
    if (!isPoll(event)) return;
    const region = event.detail.elt;
    if (!showNext) event.detail.parameters.v = region.dataset.ver;
    const last = $("#lines > li:last-child", region);
    if (last) event.detail.parameters.after = last.id.slice(1);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!isPoll(event)) return;
    const status = event.detail.xhr?.status ?? 0;
    if (status === 401 || status === 403) Poller.signedOut();
    else if (status === 404) Poller.stopped = true;
    else Poller.answered(status >= 200 && status < 300);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const region = event.detail.target;
    if (region?.dataset?.ended && region.id === "task") announceEnd(region);
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(Poller.timer) : Poller.now()));
  for (const kind of ["pointerdown", "keydown", "pointermove"]) document.addEventListener(kind, () => { Poller.active = Date.now(); }, { passive: true });

  let announced = Boolean($("#task")?.dataset.ended);
  function announceEnd(region) {
    if (announced) return;
    announced = true;
    say(region.dataset.ended);
  }

  /* --- Telling: one line for what was done, one banner for what is wrong. */

  let sayTimer = 0;
  function say(text, tone = "good") {
    const toast = $("#toasts");
    toast.textContent = text;
    toast.dataset.tone = { success: "good", warning: "warn", error: "bad" }[tone] ?? tone;
    clearTimeout(sayTimer);
    sayTimer = setTimeout(() => { toast.textContent = ""; }, 6000);
  }

  function notice(text = "", action = "", act = null) {
    const banner = $("#notice");
    banner.hidden = !text;
    const words = $("p", banner);
    words.textContent = text ? `${text} ` : "";
    if (!act) return;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: action });
    button.addEventListener("click", act);
    words.append(button);
  }

  document.addEventListener("th:said", (event) => {
    say(event.detail.text, event.detail.tone);
    showNext = true;
    Poller.now();
  });
  document.addEventListener("htmx:responseError", (event) => { if (!isPoll(event)) say(WORDS.failed, "bad"); });
  document.addEventListener("htmx:sendError", (event) => { if (!isPoll(event)) say(WORDS.failed, "bad"); });

  /* --- Acts of the rows stay on the page. */

  document.addEventListener("submit", (event) => {
    if (event.target.id === "act" && event.submitter) {
      event.preventDefault();
      const values = Object.fromEntries(new FormData(event.target));
      htmx.ajax("POST", event.submitter.formAction, { source: event.submitter, swap: "none", values });
    }
    if (event.target.id === "every" && event.submitter) {
      event.preventDefault();
      Poller.set(Number(event.submitter.value));
      $("#live-menu")?.hidePopover?.();
    }
  });

  /* --- Time goes on between polls. */

  const unit = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return fill(WORDS.s, { count: whole });
    if (whole < 3600) return fill(WORDS.min, { count: Math.floor(whole / 60) });
    if (whole < 172800) return fill(WORDS.h, { count: Math.floor(whole / 3600) });
    return fill(WORDS.d, { count: Math.floor(whole / 86400) });
  };
  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds)), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600), rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
    return hours ? `${hours}:${rest}` : rest;
  };
  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  function tick() {
    for (const time of $$("time[data-ago]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      put(time, fill(seconds < 0 ? WORDS.in : WORDS.ago, { time: unit(Math.abs(seconds)) }));
    }
    for (const running of $$("[data-since]")) put(running, clock((Date.now() - Date.parse(running.dataset.since)) / 1000));
  }
  setInterval(() => { if (!document.hidden && Poller.every) tick(); }, 1000);

  /* --- Selection: the page's box has three states, Shift takes a range, all that match is a second step. */

  const Selection = {
    last: null,
    boxes: () => $$('#rows input[name="id"]'),
    show() {
      const page = $("#select-page"), boxes = this.boxes(), ticked = boxes.filter((box) => box.checked).length;
      if (!page) return;
      page.checked = ticked > 0 && ticked === boxes.length;
      page.indeterminate = ticked > 0 && ticked < boxes.length;
      const words = $("#selected");
      if (words && ticked) words.textContent = ticked === 1 ? WORDS.selectedOne : fill(WORDS.selectedMany, { count: ticked });
      const all = $("#select-all");
      if (all) all.hidden = !page.checked;
    },
    clear() { this.boxes().forEach((box) => { box.checked = false; }); this.show(); },
    range(box) {
      const boxes = this.boxes(), [from, to] = [boxes.indexOf(this.last), boxes.indexOf(box)].sort((a, b) => a - b);
      if (from >= 0) boxes.slice(from, to + 1).forEach((one) => { one.checked = box.checked; });
    },
  };
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.('#rows input[name="id"]');
    if (box) {
      if (event.shiftKey && Selection.last) Selection.range(box);
      Selection.last = box;
    }
    if (event.target.closest?.("#newcomers")) { showNext = true; Poller.now(); }
  });
  document.addEventListener("change", (event) => {
    if (event.target.id === "select-page") Selection.boxes().forEach((box) => { box.checked = event.target.checked; });
    if (event.target.closest?.("#task-table")) Selection.show();
    if (event.target.closest?.("#filter-fields")) event.target.form.requestSubmit();
    if (event.target.type === "file") Files.show(event.target);
  });
  document.addEventListener("reset", (event) => { if (event.target === $("#bulk")) { event.preventDefault(); Selection.clear(); } });

  // A browser may refuse to remember anything.
  const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* then for this page alone */ } };

  /* --- The log: follow only while its reader is at the bottom. */

  const Log = {
    get box() { return $("#log-lines"); },
    get button() { return $("#log-follow"); },
    atBottom() { const box = this.box; return box && box.scrollHeight - box.scrollTop - box.clientHeight < 24; },
    follows() { return this.button?.getAttribute("aria-pressed") === "true"; },
    follow(on) {
      this.button?.setAttribute("aria-pressed", String(on));
      if (on) this.box.scrollTop = this.box.scrollHeight;
    },
    patched(follows) { if (this.box) { this.filter(); this.stamp(); if (follows) this.follow(true); } },
    filter() {
      const text = $("#log-filter")?.value.toLowerCase() ?? "", level = $("#log-level")?.value ?? "";
      const levels = ["debug", "info", "warning", "error"], least = Math.max(0, levels.indexOf(level));
      if (!text && !level && !this.filtered) return;
      this.filtered = Boolean(text || level);
      for (const line of $$("#lines > li")) line.hidden = levels.indexOf(line.dataset.level) < least || (text && !line.lastElementChild.textContent.toLowerCase().includes(text));
    },
    // Each line's time as one wants to read it: the time of day, seconds since the task's start, or none.
    stamp() {
      const mode = $("#log-times").value, start = Date.parse($("#lines").dataset.start);
      this.box.classList.toggle("untimed", mode === "off");
      if (mode !== "relative" && !this.stamped) return;
      this.stamped = mode === "relative";
      for (const time of $$("#lines time")) {
        time.dataset.day ??= time.textContent;
        put(time, this.stamped ? `${((Date.parse(time.dateTime) - start) / 1000).toFixed(1)} s` : time.dataset.day);
      }
    },
    start() {
      if (!this.box) return;
      $("#log-times").value = remembered("log-times") ?? "";
      this.stamp();
      $$("#log-tools [hidden]").forEach((tool) => { tool.hidden = false; });
      // No permalink asked for a line: begin at the end of a running log.
      if (this.follows() && !location.hash.startsWith("#L")) this.follow(true);
      this.box.addEventListener("scroll", () => { if (this.follows() !== this.atBottom() && this.box.scrollHeight > this.box.clientHeight) this.button.setAttribute("aria-pressed", String(this.atBottom())); }, { passive: true });
      this.button.addEventListener("click", () => this.follow(!this.follows()));
      $("#log-filter").addEventListener("input", () => this.filter());
      $("#log-level").addEventListener("change", () => this.filter());
      $("#log-times").addEventListener("change", (event) => { remember("log-times", event.target.value); this.stamp(); });
      $("#log-wrap").addEventListener("click", (event) => {
        const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
        event.currentTarget.setAttribute("aria-pressed", String(on));
        this.box.classList.toggle("nowrap", !on);
      });
      $("#log-full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : $("#log").requestFullscreen()));
      $("#log-copy").addEventListener("click", () => copy($$("#lines > li:not([hidden])").map((line) => line.lastElementChild.textContent).join("\n")));
      $("#log-earlier")?.addEventListener("click", (event) => { event.preventDefault(); this.earlier(event.currentTarget); });
    },
    async earlier(link) {
      const first = $("#lines > li");
      const answer = await fetch(`${link.dataset.lines}?before=${first.id.slice(1)}`, { headers: { "HX-Request": "true" } });
      if (!answer.ok) { say(WORDS.failed, "bad"); return; }
      const height = this.box.scrollHeight;
      first.insertAdjacentHTML("beforebegin", await answer.text());
      // What one was reading stays where it is.
      this.box.scrollTop += this.box.scrollHeight - height;
      this.filter();
      this.stamp();
      if ($("#lines > li").id === "L1") link.remove();
    },
  };

  async function copy(text) {
    try { await navigator.clipboard.writeText(text); say(WORDS.copied); } catch {
      // Plain HTTP has no clipboard API.
      const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
      document.body.append(area);
      area.select();
      say(document.execCommand("copy") ? WORDS.copied : WORDS.notCopied);
      area.remove();
    }
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(document.getElementById(button.dataset.copy).textContent);
  });

  for (const button of $$("[data-show]")) {
    const password = document.getElementById(button.dataset.show);
    button.hidden = false;
    button.addEventListener("click", () => {
      const shown = password.type === "password";
      password.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", shown);
    });
  }

  // A picture that is none leaves its place empty.
  document.addEventListener("error", (event) => { if (event.target.matches?.(".preview img")) event.target.removeAttribute("src"); }, true);

  /* --- Uploads: what was chosen, how far it is. */

  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  const Files = {
    show(input) {
      const box = input.closest(".upload");
      if (!box) return;
      const list = $("ul", box);
      list.replaceChildren(...[...input.files].map((file, index) => this.line(input, file, index, box)));
      list.hidden = !input.files.length;
    },
    line(input, file, index, box) {
      const line = document.createElement("li"), words = document.createElement("span"), size = document.createElement("small");
      const endings = box.dataset.endings.split(",").filter(Boolean);
      const fault = file.size > Number(box.dataset.limit) ? fill(WORDS.tooLarge, { name: file.name, limit: box.dataset.limitWords })
        : endings.length && !endings.some((ending) => file.name.toLowerCase().endsWith(ending)) ? fill(WORDS.wrongEnding, { name: file.name }) : "";
      size.textContent = fault || `${megabytes(file.size)} MB`;
      if (fault) line.dataset.tone = "bad";
      words.append(file.name, size);
      const remove = Object.assign(document.createElement("button"), { type: "button", className: "button quiet square", textContent: "×", ariaLabel: fill(WORDS.remove, { name: file.name }) });
      remove.addEventListener("click", () => this.remove(input, index));
      line.append(words, remove);
      return line;
    },
    remove(input, index) {
      const kept = new DataTransfer();
      [...input.files].forEach((file, position) => { if (position !== index) kept.items.add(file); });
      input.files = kept.files;
      this.show(input);
      input.focus();
    },
  };

  const Upload = {
    show(on) { const box = $("#upload"); if (box) { box.hidden = !on; $("#upload-cancel").hidden = !on; } },
    progress({ loaded, total }) {
      $("#upload progress").value = total ? (100 * loaded) / total : 0;
      $("#upload-text").textContent = loaded < total ? WORDS.uploading : WORDS.uploaded;
      $("#upload-note").textContent = fill(WORDS.of, { done: megabytes(loaded), total: megabytes(total), percent: Math.floor((100 * loaded) / (total || 1)) });
    },
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = event.detail.elt;
    if (form.id !== "new-task") return;
    const { xhr } = event.detail;
    xhr.timeout = 0; // an upload takes as long as it takes
    if ($$('input[type="file"]', form).some((input) => input.files.length)) Upload.show(true);
    xhr.upload.addEventListener("progress", (progress) => Upload.progress(progress));
    $("#upload-cancel").onclick = () => { xhr.abort(); Upload.show(false); say(WORDS.uploadCancelled, "warn"); };
  });
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.elt?.id === "new-task") Upload.show(false); });
  document.addEventListener("htmx:afterSettle", () => ($("#faults") ?? $("#preview"))?.focus());
  for (const [kind, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    document.addEventListener(kind, (event) => event.target.closest?.(".drop")?.toggleAttribute("data-over", over));
  }

  /* --- Search as one types, and a URL that can be shared. */

  let searchTimer = 0;
  document.addEventListener("input", (event) => {
    if (event.target.id !== "search") return;
    clearTimeout(searchTimer);
    searchTimer = setTimeout(() => Search.go(event.target.form), 300);
  });
  const Search = {
    async go(form) {
      const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
      const url = `${form.action}?${query}`;
      history.replaceState(null, "", url);
      const answer = await fetch(url);
      if (!answer.ok || url !== location.href) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      showNext = true;
      for (const id of ["counts", "task-table", "search-hints", "bulk", "chips", "default-view"]) {
        const old = document.getElementById(id), fresh = page.getElementById(id);
        if (old && fresh) { patch(old, document.adoptNode(fresh)); htmx.process(old); }
      }
      Selection.show();
      retitle();
      Poller.plan(); // a search that took too long had stopped it
    },
  };

  // From a task back to the list as it was left; after an act the browser no longer says where one came from.
  const Way = {
    keep() { try { if ($("#filters")) sessionStorage.setItem("list", location.search); } catch { /* then without */ } },
    back() { try { const link = $("#way-back"); if (link && !link.search) link.search = sessionStorage.getItem("list") ?? ""; } catch { /* then without */ } },
  };
  addEventListener("pagehide", () => Way.keep());

  /* --- Keys. */

  const Keys = {
    row: -1, prefix: "",
    rows: () => $$("#rows > tr"),
    move(step) {
      const rows = this.rows();
      if (!rows.length) return;
      const at = rows.findIndex((row) => row.contains(document.activeElement));
      this.row = Math.min(rows.length - 1, Math.max(0, (at < 0 ? this.row : at) + step));
      $("a.name", rows[this.row]).focus();
    },
    current() { return this.rows().find((row) => row.contains(document.activeElement)); },
    button(path) { return this.current() ? $(`button[formaction$="/${path}/"]`, this.current()) : null; },
    go: { t: "/", n: "/tasks/new/", s: "/stats/", w: "/workers/" },
    on: {
      "/": () => $("#search")?.focus(),
      j: () => Keys.move(1),
      k: () => Keys.move(-1),
      x: () => { const box = Keys.current() && $('input[name="id"]', Keys.current()); if (box) box.click(); },
      o: () => { const link = Keys.current() && $("a.name", Keys.current()); if (link) link.click(); },
      c: () => (Keys.button("cancel") ?? $('[data-key="c"]'))?.click(),
      r: () => (Keys.button("retry") ?? Keys.button("again") ?? $('[data-key="r"]'))?.click(),
      n: () => { location.href = Keys.go.n; },
      p: () => Poller.toggle(),
      g: () => { Keys.prefix = "g"; setTimeout(() => { Keys.prefix = ""; }, 1500); },
      "?": () => $("#help").showModal(),
      Escape: () => Selection.clear(),
    },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const inField = event.target.closest?.("input:not([type=checkbox]), textarea, select");
    if (inField) { if (event.key === "Escape") inField.blur(); return; }
    if (document.body.dataset.shortcuts === "off" || $("dialog[open]")) return;
    const target = Keys.prefix && Keys.go[event.key];
    const act = target ? () => { location.href = target; } : Keys.on[event.key];
    Keys.prefix = "";
    if (act) { if (event.key !== "Escape") event.preventDefault(); act(); }
  });

  // A browser may skip the transition from page to page, also one that no event tells of. That is no fault.
  addEventListener("unhandledrejection", (event) => {
    if (event.reason instanceof DOMException && event.reason.message.startsWith("Transition was")) event.preventDefault();
  });

  // Browsers without invoker commands.
  if (!("commandForElement" in HTMLButtonElement.prototype)) {
    document.addEventListener("click", (event) => {
      const button = event.target.closest?.('[command="show-modal"]');
      if (button) document.getElementById(button.getAttribute("commandfor")).showModal();
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    Selection.show();
    Log.start();
    Poller.show();
    Poller.plan();
    Way.back();
    $("#filter-button")?.remove();
    // On a narrow screen the current one of many tabs may lie beyond the edge.
    for (const tab of $$(".tabs > [aria-current]")) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 24;
  });
})();
