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


class Page:
    def __init__(self, window, address):
        self.window, self.address = window, address

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
        server = subprocess.Popen([os.path.abspath(program), "-s", os.path.join(folder, "d.sock"), "serve",
                                   "--listen=127.0.0.1:0"], stdout=subprocess.PIPE)
        try:
            address = server.stdout.readline().decode().strip()
            for title, test in sorted(globals().items()):
                if not title.startswith("test_") or parts and not any(part in title for part in parts):
                    continue
                daemon.flows = FLOWS if test is test_many_flows else 30
                with browser.Browser(name) as window:
                    try:
                        page = Page(window, address)
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
