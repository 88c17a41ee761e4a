// What the page does beyond what HTML does by itself: filters, sorting, printing.
function rules(section) {
  const find = section.querySelector(".find"), severity = section.querySelector(".severity"), said = section.querySelector(".said");
  const buttons = [...section.querySelectorAll(".toggles button")], all = section.querySelector(".all");
  const list = [...section.querySelectorAll(".rule")].map((rule) => ({ rule, group: rule.closest(".group"), text: rule.textContent.toLowerCase() }));
  const groups = [...new Set(list.map((r) => r.group))];
  let status = "";
  const show = () => {
    const words = find.value.trim().toLowerCase(), filtering = words !== "" || severity.value !== "" || status !== "";
    let n = 0;
    for (const r of list) {
      const on = r.text.includes(words) && (severity.value === "" || r.rule.dataset.severity === severity.value) && (status === "" || r.group.dataset.status === status);
      r.rule.hidden = !on;
      n += on;
    }
    for (const g of groups) {
      g.hidden = filtering && !g.querySelector(".rule:not([hidden])");
      if (g.tagName === "DETAILS") g.open = filtering;
    }
    said.textContent = filtering ? n + " of " + list.length + " rules" : "";
  };
  for (const b of buttons) {
    b.addEventListener("click", () => {
      status = status === b.dataset.status ? "" : b.dataset.status;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other.dataset.status === status));
      show();
    });
  }
  find.addEventListener("input", show);
  severity.addEventListener("change", show);
  all.addEventListener("click", () => {
    const open = all.getAttribute("aria-pressed") !== "true";
    all.setAttribute("aria-pressed", String(open));
    for (const r of list) if (r.rule.querySelector(".findings")) r.rule.open = open;
  });
  section.querySelector(".tools").hidden = false;
}

function packages(section) {
  const body = section.querySelector("tbody"), tools = section.querySelector(".tools");
  if (!tools) return;
  const find = section.querySelector(".find"), said = section.querySelector(".said"), heads = [...section.querySelectorAll("thead th")];
  const rows = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase(), cells: [...row.cells].map((c) => c.dataset.value ?? c.textContent) }));
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  find.addEventListener("input", () => {
    const words = find.value.trim().toLowerCase();
    let n = 0;
    for (const r of rows) n += !(r.row.hidden = !r.text.includes(words));
    said.textContent = words ? n + " of " + rows.length + " packages" : "";
  });
  heads.forEach((head, column) => {
    const b = element("button", "", head.textContent), number = head.dataset.sort === "number";
    b.type = "button";
    head.replaceChildren(b);
    b.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const order = now ? (now === "ascending" ? "descending" : "ascending") : number ? "descending" : "ascending";
      for (const h of heads) h.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      rows.sort((a, b) => sign * (number ? a.cells[column] - b.cells[column] : compare(a.cells[column], b.cells[column])));
      body.append(...rows.map((r) => r.row));
    });
  });
  tools.hidden = false;
}

// reveal shows what the address names: the platform it is of, and what is folded over it.
function reveal() {
  const at = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!at) return;
  const choose = document.getElementById("choose-" + at.closest(".platform")?.id.slice(1));
  if (choose) choose.checked = true;
  for (let e = at; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
  at.scrollIntoView();
}

async function files() {
  const sections = [...document.querySelectorAll(".files")];
  const trees = await unpack(document.getElementById("data").textContent).catch(() => null);
  for (const section of sections) {
    if (trees) new FileTree(trees[Number(section.dataset.tree)], section);
    else section.append(element("p", "", "This browser cannot unpack the file tree. hardpan explain prints the same."));
  }
  document.documentElement.dataset.ready = "";
}

document.querySelectorAll(".rules").forEach(rules);
document.querySelectorAll(".packages").forEach(packages);
addEventListener("hashchange", reveal);
reveal();

// What is folded is not printed by every browser: open it for the while. A list of paths
// may have a thousand lines and is printed if it was open.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll(".group[data-status=failed] .rule:not([open]), .group[data-status=waived] .rule:not([open]), details.group:not([open]), .changes details:not([open]):not(.paths), .facts details:not([open])")];
  for (const d of opened) d.open = true;
});
addEventListener("afterprint", () => { for (const d of opened) d.open = false; });
files();
