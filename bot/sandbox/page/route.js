/** The address is the page's memory: `?as=ben&pane=partner-center#csp-billing/1763800000.000100`. */

/** What the address says; `tab` is "home" for `#@backstop/home`. */
export function read() {
  const query = new URLSearchParams(location.search);
  const [slug, rest] = decodeURIComponent(location.hash.slice(1)).split("/");
  return {
    as: query.get("as") ?? localStorage.getItem("sandbox.as"),
    pane: query.get("pane"),
    slug: slug || sessionStorage.getItem("sandbox.channel"),
    ts: /^\d+\.\d+$/.test(rest ?? "") ? rest : null,
    tab: rest === "home" ? "home" : null,
  };
}

/** Change parts of the address without a new entry in the browser's history, unless `push`. */
export function write({ as, pane, slug, rest }, push = false) {
  const url = new URL(location.href);
  if (as !== undefined) {
    url.searchParams.set("as", as);
    localStorage.setItem("sandbox.as", as);
  }
  if (pane) url.searchParams.set("pane", pane);
  else if (pane === null) url.searchParams.delete("pane");
  if (slug !== undefined) {
    url.hash = rest ? `${slug}/${rest}` : slug;
    sessionStorage.setItem("sandbox.channel", slug);
  }
  if (url.href !== location.href) history[push ? "pushState" : "replaceState"](null, "", url);
}
