#!/usr/bin/env python3
"""The page of nfqws2ctl in a headless Chromium, before a stand-in for the daemon with 10,000 flows.

usage: page.py NFQWS2CTL [-v] [--pictures=FOLDER] [NAME_PART ...]

--pictures: keeps a picture of every section, wide and narrow, light and dark, in both languages.
Last line: "N passed, N failed, N skipped".
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "..", "support"))
import browser  # noqa: E402
import cases  # noqa: E402
from stand_in import Daemon  # noqa: E402

FLOWS = 10000
SECTIONS = {  # what has to be there before the section is looked at
    "overview": "document.querySelectorAll('.tile').length === 6 && document.querySelector('tbody tr') && "
                "document.querySelector('dd.mono')",
    "flows": "document.querySelector('.row')",
    "hosts/www.example.com": "document.querySelector('.row') && document.querySelector('h3')",
    "learn": "document.querySelector('.row')",
    "lists": "document.querySelectorAll('tbody tr').length === 2",
    "ladder/www.example.com": "document.querySelectorAll('.ladders svg').length === 8",
    "doctor": "document.querySelector('.findings .card')",
    "blockcheck": "document.querySelectorAll('.card').length === 5",
}
# Texts whose contrast with what is behind them is below 4.5:1.
CONTRAST = """(() => {
  const light = (c) => {
    const part = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
  };
  const numbers = (text) => text.match(/[0-9.]+/g).map(Number);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = numbers(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.getClientRects().length || ['SCRIPT', 'NOSCRIPT', 'STYLE'].includes(e.tagName)) continue;
    const inPicture = e.closest('svg');
    const style = getComputedStyle(e);
    const ink = numbers(inPicture ? style.fill : style.color);
    const under = inPicture ? numbers(getComputedStyle(inPicture.querySelector('.ground')).fill) : ground(e);
    const [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push(e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40));
  }
  return bad;
})()"""
# Elements that stick out of the window, and texts that are cut though nobody meant it.
OUTSIDE = """(() => {
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('svg') || e.classList.contains('skip') || !e.getClientRects().length) continue;
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (box.right > innerWidth + 1) found.push('outside: ' + e.tagName + '.' + e.className);
    if (style.overflowX === 'hidden' && style.textOverflow !== 'ellipsis' && e.scrollWidth > e.clientWidth + 1)
      found.push('cut: ' + e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40));
  }
  return found;
})()"""


def write_result(path):
    """A result of blockcheck2 with everything in it."""
    strategy = "nfqws2 --payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:ip_ttl=%d:repeats=1 " \
               "--lua-desync=multidisorder:pos=1,sniext+1,host+1,midsld-2,midsld,midsld+2,endhost-1"
    lines = ["curl_test_https_tls12 ipv4 blocked.example : " + strategy % n for n in range(30)]
    lines += ["curl_test_http ipv6 blocked.example/a-page : working without bypass",
              "curl_test_https_tls13 ipv4 <b>x</b> : nfqws2 not working",
              "curl_test_http3 ipv4 blocked.example : test aborted, no reason to continue. curl code 6: could not "
              "resolve host", "something else"]
    blocking = [{"test": "dns", "ipv": None, "domain": "", "kind": "DNS answers changed", "evidence": "192.0.2.1 here"},
                {"test": "curl_test_https_tls12", "ipv": 4, "domain": "blocked.example", "kind": "cut after 16 kB",
                 "evidence": "15,890 bytes of the answer came, then nothing for 2 s"},
                {"test": "curl_test_http", "ipv": 6, "domain": "<script>alert(1)</script>", "kind": "a new kind",
                 "evidence": "<script>alert(1)</script>"}]
    with open(path, "w") as f:
        json.dump({"time": int(time.time()) - 7000, "summary": lines, "blocking": blocking,
                   "domains": "blocked.example", "scanlevel": "standard", "dns": "spoofed",
                   "firewall": "nftables", "nfqws2": "github version 1.0.6", "options": "--filter-tcp=80\n",
                   "learn": "--filter-tcp=443 <HOSTLIST> --lua-desync=learn:key=tls\n" + strategy % 1}, f)


class Page:
    def __init__(self, window, address, result):
        self.window, self.address, self.result = window, address, result

    def show(self, section, language="en", width=1280, height=900, dark=False):
        self.window.window(width, height, dark)
        self.window.open(self.address + "icon.svg")  # so that the next one is loaded anew
        self.window.evaluate("localStorage.setItem('language', '%s')" % language)
        self.window.call("Page.navigate", url=self.address + "#" + section)
        self.window.wait("document.readyState === 'complete' && location.hash === '#%s' && Boolean(%s)" %
                         (section, SECTIONS[section]))


def equal(have, wanted):
    assert have == wanted, "%r, not %r" % (have, wanted)


def looks(page, folder):
    """Every section in every look: nothing sticks out, nothing is hard to read."""
    for width, height in ((1280, 900), (380, 800)):
        for language in ("en", "ru"):
            for dark in (False, True):
                for section in SECTIONS:
                    page.show(section, language, width, height, dark)
                    title = "%s, %d px, %s, %s" % (section, width, language, "dark" if dark else "light")
                    if folder:
                        page.window.picture(os.path.join(folder, re.sub("[^a-z0-9]+", "-", title) + ".png"))
                    assert page.window.evaluate("document.documentElement.scrollWidth") <= width, title
                    for script in (OUTSIDE, CONTRAST):
                        found = page.window.evaluate(script)
                        assert not found, "%s: %s" % (title, found[:5])


def test_looks(page):
    looks(page, None)


def test_many_flows(page):
    """10,000 of them."""
    page.show("flows")
    page.window.wait("document.querySelector('.tools .quiet').textContent.includes('10,000')")
    rows = page.window.evaluate("document.querySelectorAll('.row').length")
    assert 5 < rows < 60, "%d rows exist" % rows
    page.window.evaluate("document.querySelector('.rows').scrollTop = 1e9")
    page.window.wait("document.querySelector('.row[aria-posinset=\"10000\"]') !== null")
    page.window.evaluate("(() => { const i = document.querySelector('input'); i.value = 'video.example.net'; "
                         "i.dispatchEvent(new Event('input')); })()")
    page.window.wait("[...document.querySelectorAll('.row .a')].every((e) => e.textContent === 'video.example.net')")


def test_keyboard_alone(page):
    page.show("flows")
    page.window.evaluate("document.activeElement.blur()")
    for _ in range(20):
        page.window.key("Tab", 9)
        if page.window.evaluate("document.activeElement.classList.contains('rows')"):
            break
    else:
        raise AssertionError("the rows cannot be reached by Tab")
    page.window.key("ArrowDown", 40)
    page.window.key("ArrowDown", 40)
    equal(page.window.evaluate("document.querySelector('[aria-selected=true]').id"), "row-1")
    page.window.wait("document.querySelector('section.card dl') !== null")
    page.window.evaluate("document.querySelector('nav a[href=\"#lists\"]').focus()")
    page.window.key("Enter", 13, "\r")
    page.window.wait(SECTIONS["lists"])


def test_a_host_and_its_ladder(page):
    page.show("hosts/www.example.com")
    page.window.wait("document.querySelector('a[href=\"#ladder/www.example.com\"]') !== null")
    page.window.evaluate("document.querySelector('a[href=\"#ladder/www.example.com\"]').click()")
    page.window.wait(SECTIONS["ladder/www.example.com"])
    assert page.window.evaluate("document.querySelector('.ladders .host') !== null"), "the name is not marked"


def test_a_strategy_is_pinned(page):
    page.show("learn")
    page.window.evaluate("[...document.querySelectorAll('.row')].find((e) => "
                         "e.textContent.startsWith('www.example.com')).click()")
    page.window.wait("document.querySelectorAll('section.card tbody tr').length === 2")
    page.window.evaluate("window.asked = []; const own = window.fetch; window.fetch = (what, how) => { "
                         "if (how && how.body) window.asked.push([what, how.body]); return own(what, how); }; "
                         "document.querySelector('section.card tbody button').click()")
    page.window.wait("window.asked.length === 1")
    what, body = page.window.evaluate("window.asked[0]")
    equal((what, json.loads(body)), ("api/learn/change", {"host": "www.example.com", "key": "web", "action": "pin",
                                                          "strategy": 1}))
    equal(page.window.evaluate("document.getElementById('toast').textContent"), "")


def test_the_doctor_looks_again(page):
    """What it says of the stand-in, which reads no queue."""
    page.show("doctor")
    page.window.wait("[...document.querySelectorAll('.findings .mono')].some((e) => e.textContent === 'queue-unread')")
    page.window.wait("!document.querySelector('.tools button').disabled")
    page.window.evaluate("document.querySelector('.findings').replaceChildren(); "
                         "document.querySelector('.tools button').click()")
    page.window.wait("document.querySelector('.findings .card') !== null")


def test_last_result_of_blockcheck(page):
    """What works, what kind of blocking, options; strategies that are many are counted."""
    for language, kind, works in (("en", "cut after 16 kB", "strategies that work: 30"),
                                  ("ru", "обрыв после 16 кБ", "работающих стратегий: 30")):
        page.show("blockcheck", language)
        pills = page.window.evaluate("[...document.querySelectorAll('.tested .pill')].map((e) => e.textContent)")
        equal(pills[0], works)
        equal(len(set(pills)), 4)
        strong = page.window.evaluate("[...document.querySelectorAll('strong')].map((e) => e.textContent)")
        equal(strong[1:], [kind, "a new kind"])
    equal(page.window.evaluate("document.querySelectorAll('details li').length"), 19)
    equal(page.window.evaluate("document.querySelector('details p').textContent"), "и ещё 10")
    equal(page.window.evaluate("document.querySelectorAll('pre')[1].textContent"), 'NFQWS2_OPT="\n--filter-tcp=80\n"')
    assert not page.window.evaluate("document.querySelector('main script, main b')"), "markup from the result"


def test_no_result_of_blockcheck(page):
    os.rename(page.result, page.result + ".away")
    try:
        page.window.open(page.address + "icon.svg")
        page.window.call("Page.navigate", url=page.address + "#blockcheck")
        page.window.wait("document.querySelector('.empty') && "
                         "document.querySelector('.empty').textContent.includes('has not been run here yet')")
    finally:
        os.rename(page.result + ".away", page.result)


def test_names_are_text(page):
    page.show("hosts/www.example.com")
    page.window.wait("[...document.querySelectorAll('.row .a')].some((e) => e.textContent.includes('<script>'))")
    assert not page.window.evaluate("/[\\u001b\\u0007\\u202e]/.test(document.body.textContent)"), "odd characters"


def test_language(page):
    page.show("overview")
    page.window.evaluate("document.getElementById('language').click()")
    page.window.wait("document.documentElement.lang === 'ru' && document.title.startsWith('Обзор')")
    same = page.window.evaluate("import('./words.js').then(({ keys }) => JSON.stringify(keys().en) === "
                                "JSON.stringify(keys().ru))")
    assert same, "a word is missing in one language"


def test_lists_are_read_again(page):
    page.show("lists")
    page.window.evaluate("document.querySelector('.tools button').click()")
    page.window.wait("document.getElementById('toast').textContent === 'The lists were read again.'")


def test_live_numbers(page):
    page.show("overview")
    before = page.window.evaluate("document.querySelector('.tile .more').textContent")
    page.window.wait("document.querySelector('.tile .more').textContent !== %r" % before)


def main():
    words = sys.argv[1:]
    pictures = [w.partition("=")[2] for w in words if w.startswith("--pictures=")]
    program, *parts = [w for w in words if not w.startswith("-")]
    report = cases.Report("-v" in words)
    name = browser.find()
    if name is None:
        report.skip("page", "there is no Chromium")
        return report.finish()
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(os.path.join(folder, "d.sock"))
        result = os.path.join(folder, "result.json")
        write_result(result)
        server = subprocess.Popen([os.path.abspath(program), "-s", os.path.join(folder, "d.sock"), "serve",
                                   "--listen=127.0.0.1:0", "--blockcheck=" + result], stdout=subprocess.PIPE)
        try:
            address = server.stdout.readline().decode().strip()
            for title, test in sorted(globals().items()):
                if not title.startswith("test_") or parts and not any(part in title for part in parts):
                    continue
                daemon.flows = FLOWS if test is test_many_flows else 30
                with browser.Browser(name) as window:
                    try:
                        page = Page(window, address, result)
                        test(page) if not (pictures and test is test_looks) else looks(page, pictures[0])
                        equal(window.complaints(), [])
                        report.ok(title)
                    except (AssertionError, OSError, TimeoutError) as error:
                        report.fail(title, "%s\n%s" % (error, window.complaints()))
        finally:
            server.terminate()
            server.wait()
            server.stdout.close()
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
