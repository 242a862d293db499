// The looking glass without this is whole but still: this follows events, and asks again for what changes.
"use strict";

// follow adds events to the table of the page as they come, with a button that pauses.
function follow(live) {
  const status = live.querySelector(".status");
  const rows = document.querySelector("#events tbody");
  const most = Number(live.dataset.most);
  const button = document.createElement("button");
  button.type = "button";
  live.prepend(button);
  let source = null, last = 0, waits = false;

  function say(text) { if (status.textContent !== text) status.textContent = text; }

  function cell(text, name) {
    const td = document.createElement("td");
    if (name) td.className = name;
    td.textContent = text;
    return td;
  }

  function add(id, event) {
    if (id <= last) return;
    last = id;
    const tr = document.createElement("tr");
    tr.className = "new";
    const time = document.createElement("time");
    time.dateTime = event.time;
    time.textContent = event.clock;
    const badge = document.createElement("span");
    if (event.class) badge.className = "badge " + event.class;
    badge.textContent = event.type;
    const router = cell(event.router ? "" : "–");
    if (event.router) {
      const a = document.createElement("a");
      a.href = "/router/" + encodeURIComponent(event.router);
      a.textContent = event.router;
      router.append(a);
    }
    const when = cell("", "time"), what = cell("");
    when.append(time);
    what.append(badge);
    tr.append(when, what, router, cell(event.subject, "mono"), cell(event.text, "wide"));
    rows.querySelector(".none")?.parentElement.remove();
    rows.prepend(tr);
    setTimeout(() => tr.classList.remove("new"), 3000);
    while (rows.rows.length > most) rows.lastElementChild.remove();
    say([event.clock, event.type, event.router, event.text].filter(Boolean).join(", "));
  }

  function start() {
    const url = new URL(live.dataset.stream, location.href);
    if (last) url.searchParams.set("after", last);
    source = new EventSource(url);
    button.textContent = "Pause";
    source.onopen = () => { if (!waits) say("Following: events appear as they happen."); waits = false; };
    source.onmessage = (m) => add(Number(m.lastEventId), JSON.parse(m.data));
    source.onerror = () => {
      say("The connection is lost; trying again.");
      if (source.readyState === EventSource.CLOSED) { // refused, which the browser takes for final
        const mine = source;
        setTimeout(() => { if (source === mine) { source = null; start(); } }, 5000);
      }
    };
  }

  button.addEventListener("click", () => {
    if (source) {
      source.close();
      source = null;
      button.textContent = "Go on";
      say("Paused.");
    } else {
      waits = true;
      start();
      say("Following: events appear as they happen.");
    }
  });
  start();
}

// refresh asks for the page again every ten seconds and takes over what is marked as live, unless somebody works in it.
function refresh() {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = localStorage.getItem("still") === null;
  label.className = "auto";
  label.append(box, "Update every 10 s");
  document.querySelector(".top").append(label);
  box.addEventListener("change", () => {
    if (box.checked) localStorage.removeItem("still"); else localStorage.setItem("still", "1");
  });

  function busy(part) {
    const selection = getSelection();
    return part.contains(document.activeElement) || (!selection.isCollapsed && selection.containsNode(part, true));
  }

  async function again() {
    if (!box.checked || document.hidden) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const news = fresh.getElementById(part.id);
      if (news && !busy(part) && news.innerHTML !== part.innerHTML) part.innerHTML = news.innerHTML;
    }
    const foot = fresh.querySelector("footer");
    if (foot) document.querySelector("footer").innerHTML = foot.innerHTML;
  }

  setInterval(() => again().catch(() => {}), 10000);
}

const live = document.querySelector("[data-stream]");
if (live) follow(live);
if (document.body.hasAttribute("data-refresh")) refresh();
