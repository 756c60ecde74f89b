"""Stand-ins for curl, and strategies that tests share."""
import os

SPLIT = "--payload=http_req --lua-desync=multisplit:pos=midsld"
CASE = "--payload=http_req --lua-desync=http_hostcase"
FAKE = "--payload=http_req --lua-desync=fake:blob=fake_default_http:badsum"
SLEEPER = """#!/bin/sh
case $* in
*--version*) echo 'curl 8 OpenSSL'; exit ;;
*127.0.0.1*) exit 7 ;;
esac
sleep 2
exit 28
"""

# A curl that writes down its words and answers as FAKE_CURL says.
CURL = """#!/bin/sh
case $* in
*--version*) echo "curl 8.9.0 ${FAKE_TLS-OpenSSL/3.0}"; echo "Features: HTTP3 SSL"; exit ;;
*127.0.0.1*) exit 7 ;;
esac
for word; do printf '%s ' "$word"; done >>"$CURL_LOG"
echo >>"$CURL_LOG"
while [ $# -gt 0 ]; do [ "$1" = -SsD ] && [ -n "$FAKE_HEADER" ] && printf "$FAKE_HEADER" >"$2"; shift; done
until mkdir "$CURL_LOG.lock" 2>/dev/null; do sleep 0.01; done
n=$(cat "$CURL_LOG.n" 2>/dev/null || echo 0)
echo $((n + 1)) >"$CURL_LOG.n"
rmdir "$CURL_LOG.lock"
set -- $FAKE_CODES
[ $n -ge $# ] || shift $n
[ "$1" = 0 ] || echo "curl: ($1) made up" >&2
exit "$1"
"""


def fake_curl(env, lab, codes, **more):
    log = os.path.join(lab.folder, "curl.log")
    for name in (log, log + ".n"):
        if os.path.exists(name):
            os.unlink(name)
    return dict(CURL=env.tool(lab, "fakecurl", CURL), CURL_LOG=log, FAKE_CODES=codes,
                ENGINE="classic", CURL_OPT="", **more)


def curl_lines(lab):
    with open(os.path.join(lab.folder, "curl.log")) as f:
        return [line.strip() for line in f]
