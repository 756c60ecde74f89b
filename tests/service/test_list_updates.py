"""Updates of lists from an nginx of the test: nothing is fetched twice, failures are told and tried again, the old list
stays."""
import os
import re
import time

from sandbox import World, check, contains, equal, lacks
from test_lists import CONFIG, IPSET, addresses, gz, make_site, prepare, publish, run

SOURCE = IPSET + ".zapret-ip.txt.source"
STATUS = "/run/zapret2/list-update"
NGINX = """
worker_processes 1; pid /opt/nginx.pid; error_log /opt/nginx.error;
events { worker_connections 64; }
http {
    log_format answers '$status $request_uri $http_if_none_match';
    access_log /opt/nginx.log answers;
    server { listen 443 ssl; ssl_certificate /opt/site.crt; ssl_certificate_key /opt/site.key; root /opt/www; %s }
}
"""


def with_nginx(world, *config, more=""):
    prepare(world, *config)
    make_site(world)
    os.makedirs("/opt/www/list", exist_ok=True)
    world.write("/opt/nginx.conf", NGINX % more)
    # The own user of nginx has no way into these folders.
    world.sh("nginx -c /opt/nginx.conf -g 'user root;' -e /opt/nginx.error")


def answers(world):
    """Codes of nginx since the last look."""
    text = world.read("/opt/nginx.log") if os.path.exists("/opt/nginx.log") else ""
    world.write("/opt/nginx.log.seen", text)
    world.sh(": >/opt/nginx.log")
    return [line.split()[0] for line in text.splitlines()]


def status(world):
    return dict(line.split("=", 1) for line in world.read(STATUS).splitlines())


def test_only_another_version_is_fetched(world: World):
    with_nginx(world)
    publish(world, "list/ip.lst", addresses(12000))
    run(world, "get_antifilter_ip.sh")
    contains(gz("zapret-ip.txt"), "5.0.0.0/22\n")
    contains(world.read(SOURCE), 'etag="')
    contains(world.read(SOURCE), "modified=")
    before = os.stat(IPSET + "zapret-ip.txt.gz")
    contains(run(world, "get_antifilter_ip.sh"), "zapret-ip.txt is up to date")
    equal(answers(world), ["200", "304"])
    equal(os.stat(IPSET + "zapret-ip.txt.gz").st_ino, before.st_ino, "the list was written again")
    check(world.ipset("zapret"), "the set is empty")
    publish(world, "list/ip.lst", addresses(13000, "6.6"))
    lacks(run(world, "get_antifilter_ip.sh"), "up to date")
    lacks(gz("zapret-ip.txt"), "5.0.0.0/22\n")
    # The same list under another name of the version: fetched, but not written.
    before = os.stat(IPSET + "zapret-ip.txt.gz")
    os.utime("/opt/www/list/ip.lst", (1, 1))
    contains(run(world, "get_antifilter_ip.sh"), "zapret-ip.txt is up to date")
    equal(answers(world), ["200", "200"])
    equal(os.stat(IPSET + "zapret-ip.txt.gz").st_ino, before.st_ino)
    equal(world.sh("ls /tmp"), "")


def test_a_list_that_is_not_as_it_was_made_is_fetched_whole(world: World):
    with_nginx(world, "GZIP_LISTS=0")
    publish(world, "list/ip.lst", addresses(12000))
    publish(world, "list/ipsum.lst", addresses(12000, "7.7"))
    run(world, "get_antifilter_ip.sh")
    good = world.read(IPSET + "zapret-ip.txt")

    def fetched(what):
        answers(world)
        run(world, "get_antifilter_ip.sh")
        equal(answers(world), ["200"], what)

    world.write(IPSET + "zapret-ip.txt", good[:100])
    fetched("a damaged list")
    equal(world.read(IPSET + "zapret-ip.txt"), good)
    run(world, "get_antifilter_ipsum.sh")
    fetched("a list of another source")
    equal(world.read(IPSET + "zapret-ip.txt"), good)
    world.config(*CONFIG, "GZIP_LISTS=0", "IP2NET_OPT4='--prefix-length=24-30 --v4-threshold=3/4'")
    fetched("other settings")
    lacks(world.read(IPSET + "zapret-ip.txt"), "/22\n")
    run(world, "clear_lists.sh")
    check(not os.path.exists(SOURCE), "what is remembered of the source is left")
    fetched("no list")


def test_what_a_server_says_is_data(world: World):
    with_nginx(world, more=r"""
        location /list/ip.lst { etag off; if_modified_since off; add_header Last-Modified "";
            add_header ETag "\"`touch /opt/evil`; touch /opt/evil | touch /opt/evil'\""; }
        location /list/ipsum.lst { return 304; }""")
    publish(world, "list/ip.lst", addresses(12000))
    run(world, "get_antifilter_ip.sh")
    run(world, "get_antifilter_ip.sh")
    contains(world.read("/opt/nginx.log"), "`touch /opt/evil`; touch")
    check(not os.path.exists("/opt/evil"), "executed")
    # "Not modified" without a question is no list.
    run(world, "get_antifilter_ipsum.sh", code=2)
    contains(gz("zapret-ip.txt"), "5.0.0.0/22\n")


def test_host_lists_and_their_reload(world: World):
    """Daemons are told of a new list only."""
    with_nginx(world)
    world.write("/opt/x/nfqws2", "#!/bin/sh\ntrap 'echo hup >>/opt/hups' HUP\necho >/opt/up\n"
                                 "while :; do sleep 0.1; done\n", 0o755)
    world.sh("/opt/x/nfqws2 &")
    world.wait_for(lambda: os.path.exists("/opt/up"), "the stand-in does not start")
    path = "1andrevich/Re-filter-lists/releases/latest/download/domains_all.lst"
    publish(world, path, "".join("host%d.example.com\n" % i for i in range(8000)))
    contains(run(world, "get_refilter_domains.sh"), "forcing the daemons to reload")
    world.wait_for(lambda: os.path.exists("/opt/hups"), "no HUP")
    text = run(world, "get_refilter_domains.sh")
    contains(text, "zapret-hosts.txt is up to date")
    lacks(text, "forcing")
    equal(answers(world), ["200", "304"])


# --- how an update went -------------------------------------------------------------------------------


def test_status(world: World):
    with_nginx(world, "GETLIST=get_antifilter_ip.sh")
    contains(run(world, "get_config.sh", "status", code=3), "not updated yet")
    publish(world, "list/ip.lst", addresses(12000))
    run(world, "get_config.sh")
    found = status(world)
    equal((found["script"], found["result"], found["failures"]), ("get_antifilter_ip.sh", "updated", "0"))
    check(re.fullmatch(r"zapret-ip.txt \d+ bytes", found["text"]), found["text"])
    check(re.fullmatch(r"\d{9,} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", found["time"]), found["time"])
    contains(run(world, "get_config.sh", "status"), "get_antifilter_ip.sh: updated, ")
    run(world, "get_config.sh")
    equal((status(world)["result"], status(world)["text"]), ("unchanged", "zapret-ip.txt"))
    good = status(world)["success"]
    os.remove("/opt/www/list/ip.lst")
    for number in (1, 2):
        run(world, "get_config.sh", code=2)
        found = status(world)
        equal((found["result"], found["failures"], found["success"], found["next"]), ("failed", str(number), good, ""))
    contains(found["text"], "list download failed: https://antifilter.download/list/ip.lst")
    text = run(world, "get_config.sh", "status", code=1)
    contains(text, "failures in succession: 2")
    contains(text, "last good one: " + good.split(" ", 1)[1])
    # /run is empty after a boot; the start of the service fills it.
    os.remove(STATUS)
    run(world, "create_ipset.sh", "no-update")
    equal(status(world), found)
    # Scripts that report nothing, and what is no script.
    world.config(*CONFIG, "GETLIST=get_user.sh")
    run(world, "get_config.sh")
    equal((status(world)["result"], status(world)["failures"]), ("done", "0"))
    world.config(*CONFIG, "GETLIST=get_nothing.sh")
    contains(run(world, "get_config.sh", code=2), "no such list script")
    contains(status(world)["text"], "no such list script")
    run(world, "get_config.sh", "often", code=1)


def test_names_that_cannot_be_resolved_are_a_failure(world: World):
    prepare(world, "GETLIST=get_user.sh", dns=False)
    world.write(IPSET + "zapret-hosts-user.txt", "a.test\n")
    run(world, "get_config.sh", code=2)
    contains(status(world)["text"], "DNS does not work")


def test_the_status_can_be_read_by_all(world: World):
    prepare(world, "GETLIST=get_mine.sh")
    world.write(IPSET + "get_mine.sh", "exit 0\n", 0o755)
    world.sh("rm -rf /run/zapret2; umask 077; sh %sget_config.sh" % IPSET)
    equal([oct(os.stat(path).st_mode & 0o777) for path in ("/run/zapret2", STATUS)], ["0o755", "0o644"])
    contains(world.read(STATUS), "result=done\n")


def test_a_try_that_is_over_is_not_the_next(world: World):
    prepare(world)
    for next_try, shown in ((time.time() - 60, False), (time.time() + 3600, True)):
        world.write(IPSET + ".update-status", "script=get_x.sh\nresult=failed\ntime=1 then\nfailures=1\nsuccess=\n"
                    "next=%d 2001-02-03\n" % next_try)
        equal("next try: 2001-02-03" in run(world, "get_config.sh", "status", code=1), shown)


def test_what_is_beside_the_list_is_no_failure(world: World):
    """A host list came: sets that nothing uses and names of the user are no reason to fetch it again."""
    with_nginx(world, "GETLIST=get_refilter_domains.sh", "MODE_FILTER=hostlist")
    world.needs_program("ipset")
    world.tool("ipset", "#!/bin/sh\nexit 1\n")
    world.sh("kill $(cat /opt/dns.pid)")
    world.write(IPSET + "zapret-hosts-user-exclude.txt", "a.test\n10.0.0.0/8\n")
    publish(world, "1andrevich/Re-filter-lists/releases/latest/download/domains_all.lst",
            "".join("host%d.example.com\n" % i for i in range(8000)))
    text = run(world, "get_config.sh")
    contains(text, "WARNING: DNS does not work")
    contains(text, "WARNING: the sets could not be loaded")
    equal(status(world)["result"], "updated")
    # Where packets are chosen by them it is one.
    world.config(*CONFIG, "GETLIST=get_refilter_domains.sh", "MODE_FILTER=ipset")
    run(world, "get_config.sh", code=1)
    contains(status(world)["text"], "the sets could not be loaded")
    # So is it where rules look at them.
    world.config(*CONFIG, "GETLIST=get_refilter_domains.sh", "MODE_FILTER=hostlist")
    world.tool("ipset", '#!/bin/sh\n[ "$*" = "-q -n list nozapret" ]\n')
    run(world, "get_config.sh", code=1)
    equal(status(world)["result"], "failed")


# A source that comes back with the third question; each question is noted with the pause before it.
SLEEP = '#!/bin/sh\ncase $1 in 0.*) ;; *) echo "$1" >>/opt/pauses ;; esac\n'


def scheduled(world, code, tries=3):
    world.write(IPSET + "get_mine.sh", '#!/bin/sh\nEXEDIR=$(dirname "$(readlink -f "$0")")\n. "$EXEDIR/def.sh"\n'
                'echo x >>/opt/tries\n[ "$(wc -l </opt/tries)" -ge %d ] && exit 0\n'
                'list_failed "not yet"\ncat /run/zapret2/list-update >>/opt/states 2>/dev/null\nexit 2\n' % tries,
                0o755)
    return world.run("sh", IPSET + "get_config.sh", "scheduled", check_code=code).text


def test_scheduled_updates_are_tried_again(world: World):
    prepare(world, "GETLIST=get_mine.sh", "LISTS_PAUSE=10")
    world.needs_program("sleep")
    world.needs_program("logger")
    world.tool("sleep", SLEEP)
    world.tool("logger", '#!/bin/sh\necho "$*" >>/opt/log\n')
    text = scheduled(world, 0)
    equal(world.read("/opt/pauses"), "10\n20\n")
    equal(world.read("/opt/log"), "".join("-t zapret2 -p daemon.%s list update get_mine.sh: %s\n" % line for line in (
        ("err", "failed: not yet"), ("err", "failed: not yet"), ("notice", "done: "))))
    equal(text.count("ERROR: list update get_mine.sh: failed: not yet"), 2)
    contains(world.read("/opt/states"), "result=failed")
    check(re.search(r"next=\d{9,} \d{4}-", world.read("/opt/states")), "no time of the next try")
    equal((status(world)["failures"], status(world)["next"]), ("0", ""))
    equal(os.listdir("/run/zapret2"), ["list-update"])
    # It gives up; LISTS_TRIES says when.
    world.sh("rm /opt/pauses /opt/tries")
    scheduled(world, 2, 100)
    equal(world.read("/opt/pauses"), "10\n20\n40\n")
    equal((status(world)["failures"], status(world)["next"]), ("4", ""))
    world.sh("rm /opt/pauses /opt/tries")
    world.config(*CONFIG, "GETLIST=get_mine.sh", "LISTS_TRIES=1")
    scheduled(world, 2, 100)
    check(not os.path.exists("/opt/pauses"), "it waited")


def test_another_good_update_ends_the_waiting(world: World):
    prepare(world, "GETLIST=get_mine.sh", "LISTS_PAUSE=10")
    world.needs_program("sleep")
    # While it waits the list is updated by hand.
    world.tool("sleep", SLEEP + "echo more >>/opt/tries\necho more >>/opt/tries\nunset LIST_REPORT\n"
               "sh %sget_config.sh >/dev/null 2>&1\n" % IPSET)
    scheduled(world, 2)
    equal(world.read("/opt/pauses"), "10\n")
    equal(status(world)["result"], "done")
    equal(os.listdir("/run/zapret2"), ["list-update"])
