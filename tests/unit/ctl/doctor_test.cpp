#include "ctl/client/sockets.hpp"
#include "ctl/doctor/checks.hpp"
#include "ctl/doctor/doctor.hpp"
#include "ctl/failure.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace nfqws2::ctl {
namespace {

// A machine that consists of these files and outputs.
class Written final : public Machine {
  public:
    std::map<std::string, std::string> files, outputs, links; // outputs: by the program's name
    std::map<std::string, std::vector<std::string>> folders;

    std::optional<std::string> read(const std::string& path) const override {
        const auto found = files.find(path);
        return found == files.end() ? std::nullopt : std::optional(found->second);
    }
    std::vector<std::string> names_in(const std::string& folder) const override {
        const auto found = folders.find(folder);
        return found == folders.end() ? std::vector<std::string>() : found->second;
    }
    std::string target_of(const std::string& link) const override {
        const auto found = links.find(link);
        return found == links.end() ? std::string() : found->second;
    }
    Output run(const std::vector<std::string>& words, const std::string&) const override {
        const auto found = outputs.find(words[0]);
        if (found == outputs.end()) return {};
        return {true, 0, found->second};
    }
    void ask_for_queues() const override {}
};

std::vector<Json> says(const std::string&, const Json& request) {
    if (request["cmd"] == "status")
        return {{{"status",
                  {{"pid", 7}, {"queues", {300}}, {"options", "--qnum=300\n--fwmark=0x10\n"}}}}};
    if (request["cmd"] == "counters") return {{{"total", {{"packets", 5}}}}};
    return {};
}

Findings found_on(const Machine& machine) {
    return examine(gather(machine, {"/run/a.sock"}, says));
}

bool has(const Findings& findings, const std::string& code) {
    return std::ranges::any_of(findings, [&](const Finding& one) { return one.code == code; });
}

// Two containers with a daemon each are two right set-ups.
TEST(Doctor, DaemonsOfOtherNetworksAreNotOurs) {
    Written machine;
    machine.folders["/proc"] = {"7", "8", "self"};
    machine.links = {{"/proc/self/ns/net", "net:[1]"},
                     {"/proc/7/ns/net", "net:[1]"},
                     {"/proc/8/ns/net", "net:[2]"},
                     {"/proc/7/exe", "/opt/a/nfqws2"},
                     {"/proc/8/exe", "/opt/b/nfqws2"}};
    machine.files = {{"/proc/7/comm", "nfqws2\n"}, {"/proc/8/comm", "nfqws2\n"}};
    EXPECT_FALSE(has(found_on(machine), "two-installations"));
    machine.links["/proc/8/ns/net"] = "net:[1]";
    EXPECT_TRUE(has(found_on(machine), "two-installations"));
    machine.links["/proc/7/ns/net"] = machine.links["/proc/8/ns/net"] = "net:[2]";
    EXPECT_FALSE(has(found_on(machine), "two-installations"));
    // Whose network cannot be read may be ours.
    machine.links.erase("/proc/7/ns/net");
    machine.links.erase("/proc/8/ns/net");
    EXPECT_TRUE(has(found_on(machine), "two-installations"));
}

TEST(Doctor, AMachineWithoutAnything) {
    const Written machine;
    const Findings findings = found_on(machine);
    EXPECT_TRUE(has(findings, "kernel-no-queues"));
    EXPECT_TRUE(has(findings, "rules-unknown"));
    EXPECT_TRUE(is_ill(findings));
}

TEST(Doctor, LossesOfAQueue) {
    Written machine;
    machine.files["/proc/net/netfilter/nfnetlink_queue"] =
        "  300      7     0 2 65531     5     2        9  1\n  301 garbage\n";
    machine.outputs["nft"] = "table inet x {\n chain a {\n  tcp dport 80 queue num 300 bypass\n";
    const Findings findings = found_on(machine);
    const auto at = std::ranges::find(findings, "queue-losses", &Finding::code);
    ASSERT_NE(at, findings.end());
    EXPECT_EQ(at->text, "7 packets were dropped because the queue was full");
    EXPECT_FALSE(has(findings, "no-rules"));
    EXPECT_FALSE(has(findings, "queue-taken"));
}

TEST(Doctor, MarksAreThoseOfTheOptions) {
    Written machine;
    machine.outputs["ip"] = "100: from all fwmark 0x40000000/0x40000000 lookup 5\n";
    EXPECT_FALSE(has(found_on(machine), "mark-collision"));
    machine.outputs["ip"] = "100: from all fwmark 0x10/0xff lookup 5\n";
    EXPECT_TRUE(has(found_on(machine), "mark-collision"));
}

TEST(Doctor, UpdatesOfListsThatFail) {
    Written machine;
    const auto gravity = [&](const std::string& text) {
        machine.files[socket_folder() + "/list-update"] = text;
        for (const Finding& one : found_on(machine))
            if (one.code == "list-update")
                return std::string(name_of(one.gravity)) + ": " + one.text;
        return std::string();
    };
    EXPECT_EQ(gravity("script=a.sh\nresult=unchanged\nfailures=0\n"), "");
    EXPECT_EQ(gravity("script=a.sh\nresult=failed\nfailures=1\ntext=no way\n"),
              "note: the last update of the lists failed (a.sh, 1 time): no way");
    EXPECT_EQ(gravity("script=a.sh\nresult=failed\nfailures=4\ntext=no way\n"),
              "warning: the last update of the lists failed (a.sh, 4 times in succession): no way");
}

TEST(Doctor, WhoDoesNotAnswerIsNamed) {
    const Written machine;
    const Findings findings = examine(
        gather(machine, {"/run/a.sock"}, [](const std::string&, const Json&) -> std::vector<Json> {
            throw Failure("it sleeps\x1b[31m");
        }));
    ASSERT_TRUE(has(findings, "daemon-silent"));
    EXPECT_EQ(findings_text(findings, Style()).find('\x1b'), std::string::npos);
    EXPECT_NE(findings_json(findings).find("\"end\":true"), std::string::npos);
}

TEST(Doctor, AnswersOfAnyKindAreTaken) {
    const Written machine;
    for (const char* text : {"null", "1", "[]", "{\"status\":[],\"queues\":{}}",
                             "{\"status\":{\"queues\":[-1,70000,\"x\"],\"options\":7}}"})
        for (const char* key : {"status", "total", "profile", "list"})
            examine(gather(machine, {"/s"}, [&](const std::string&, const Json&) {
                return std::vector<Json>{Json{{key, Json::parse(text)}}};
            }));
}

TEST(QueueRules, Iptables) {
    Listing listing;
    read_iptables_save(
        "*mangle\n[5:300] -A POSTROUTING -p tcp -m connbytes --connbytes 1:9 -j NFQUEUE "
        "--queue-num 300 --queue-bypass\n-A INPUT -j NFQUEUE --queue-balance 1:3\n"
        "[0:0] -A OUTPUT -j MARK --set-xmark 0x1/0xff\n-A zapret -j MARK --set-xmark 0x2/0xf\n"
        "-A X -j NFQUEUE --queue-num 99999\n-A X -j FLOWOFFLOAD\n-A Y --clamp-mss-to-pmtu\n"
        "[:] -A\n-A\n[\n",
        listing);
    ASSERT_EQ(listing.queues.size(), 2U);
    EXPECT_TRUE(listing.queues[0].bypass && listing.queues[0].counts);
    EXPECT_EQ(listing.queues[0].packets, 5U);
    EXPECT_EQ(listing.queues[1].last, 3U);
    EXPECT_FALSE(listing.queues[1].bypass);
    ASSERT_EQ(listing.marks.size(), 1U);
    EXPECT_EQ(listing.marks[0].mask, 0xFFU);
    EXPECT_TRUE(listing.offload && listing.clamps);
}

TEST(QueueRules, Nft) {
    Listing listing;
    read_nft_ruleset(
        "table inet a {\n  tcp dport 80 ct original packets 1-9 counter packets 4 bytes 5 queue "
        "num 300 bypass\n  queue flags bypass to 301-303\n  queue num x\n"
        "  meta mark set meta mark | 0x00000010\n  meta mark set 0x5\n"
        "  meta mark set meta mark & 0xfffffff0 | 0x1\n  meta mark set ct mark\n}\n"
        "table inet zapret2 {\n  meta mark set 0x9\n  flow add @ft\n}\n",
        listing);
    ASSERT_EQ(listing.queues.size(), 2U);
    EXPECT_TRUE(listing.queues[0].bypass && listing.queues[0].counts);
    EXPECT_EQ(listing.queues[0].packets, 4U);
    EXPECT_EQ(listing.queues[1].first, 301U);
    EXPECT_FALSE(listing.offload);
    std::vector<std::uint32_t> masks;
    for (const MarkUse& use : listing.marks)
        masks.push_back(use.mask);
    EXPECT_EQ(masks, (std::vector<std::uint32_t>{0x10, UINT32_MAX, 0xF, UINT32_MAX}));
}

TEST(ThisMachine, ProgramsGetInputAndAreBounded) {
    const ThisMachine machine;
    EXPECT_EQ(machine.run({"cat"}, "text").text, "text");
    EXPECT_EQ(machine.run({"sh", "-c", "exit 3"}, "").code, 3);
    EXPECT_FALSE(machine.run({"no-such-program"}, "").ran);
    EXPECT_FALSE(machine.run({"cat", "/dev/zero"}, "").ran);
    EXPECT_TRUE(machine.run({"true"}, std::string(1 << 20, 'x')).ran);
}

} // namespace
} // namespace nfqws2::ctl
