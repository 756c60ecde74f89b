#if NFQWS2_HAVE_NFCT

#include "nfct/simulated.hpp"

#include "nfqws2/capture/ct_message.hpp"

#include <cerrno>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

namespace nfqws2::lua {
namespace {

using Message = SimulatedTable::Message;
using packet::Connection;

constexpr std::size_t message_size = 2048;

Message bytes_of(const nlmsghdr* message) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(message);
    return {begin, begin + message->nlmsg_len};
}

unsigned family_of(const Connection& c) {
    return c.orig.src.version == 6 ? AF_INET6 : AF_INET;
}

Message message_of(const Connection& c, unsigned type, unsigned flags) {
    alignas(nlmsghdr) char buffer[message_size];
    nlmsghdr* message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type);
    message->nlmsg_flags = static_cast<std::uint16_t>(flags);
    auto* generic = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
    *generic = {static_cast<std::uint8_t>(family_of(c)), NFNETLINK_V0, 0};
    capture::put_connection(message, c);
    return bytes_of(message);
}

// The end of an answer: an errno, 0 for success.
Message end_of_answer(const nlmsghdr* request, int error) {
    alignas(nlmsghdr) char buffer[message_size];
    nlmsghdr* message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = NLMSG_ERROR;
    auto* what = static_cast<nlmsgerr*>(mnl_nlmsg_put_extra_header(message, sizeof(nlmsgerr)));
    *what = {-error, *request};
    return bytes_of(message);
}

Message end_of_dump() {
    alignas(nlmsghdr) char buffer[message_size];
    nlmsghdr* message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = NLMSG_DONE;
    return bytes_of(message);
}

Bytes attributes_of(const nlmsghdr* request) {
    const std::size_t head = MNL_ALIGN(sizeof(nfgenmsg));
    return {static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload_offset(request, head)),
            mnl_nlmsg_get_payload_len(request) - head};
}

unsigned family_of(const nlmsghdr* request) {
    return static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(request))->nfgen_family;
}

bool is_whole(const packet::CtTuple& t) {
    return t.proto != 0 && !t.src.empty() && !t.dst.empty();
}

packet::CtChanges changes_of(const Connection& wanted) {
    packet::CtChanges changes;
    changes.mark = wanted.mark;
    changes.timeout = wanted.timeout;
    changes.status = wanted.status;
    if (!wanted.helper.empty()) changes.helper = wanted.helper;
    changes.labels = wanted.labels;
    return changes;
}

} // namespace

SimulatedTable::SimulatedTable(flow::CtSim& table, unsigned events)
    : table_(table), wanted_(events) {
    if (wanted_ != 0) table_.add_observer(*this);
}

SimulatedTable::~SimulatedTable() {
    if (wanted_ != 0) table_.remove_observer(*this);
}

void SimulatedTable::on_event(flow::CtEvent event, const Connection& connection) {
    struct Kind {
        unsigned bit, type, flags;
    };
    const Kind kind = event == flow::CtEvent::appeared
                          ? Kind{NFCT_T_NEW, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL}
                      : event == flow::CtEvent::changed
                          ? Kind{NFCT_T_UPDATE, IPCTNL_MSG_CT_NEW, 0}
                          : Kind{NFCT_T_DESTROY, IPCTNL_MSG_CT_DELETE, 0};
    if ((wanted_ & kind.bit) == 0) return;
    if (events_.size() >= most_events) {
        overrun_ = true;
        return;
    }
    events_.push_back(message_of(connection, kind.type, kind.flags));
}

int SimulatedTable::receive(Message& datagram) {
    if (overrun_) {
        overrun_ = false;
        return ENOBUFS;
    }
    if (events_.empty()) return EAGAIN;
    datagram = std::move(events_.front());
    events_.pop_front();
    return 0;
}

void SimulatedTable::ask(const nlmsghdr* request, std::vector<Message>& answers) {
    const unsigned what = request->nlmsg_type & 0xFFU;
    if (request->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK_EXP) {
        answers.push_back(end_of_answer(request, expect(request)));
    } else if ((request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
        dump(family_of(request), what == IPCTNL_MSG_CT_GET_CTRZERO, &answers);
        answers.push_back(end_of_dump());
    } else {
        const int error = ask_of_one(request, answers);
        answers.push_back(end_of_answer(request, error));
    }
}

// Without answers it is a flush.
void SimulatedTable::dump(unsigned family, bool reset, std::vector<Message>* answers) {
    table_.for_each([&](flow::CtRef one) {
        const Connection c = table_.describe(one);
        if (family != AF_UNSPEC && family != family_of(c)) return;
        if (answers != nullptr)
            answers->push_back(message_of(c, IPCTNL_MSG_CT_NEW, 0));
        else
            table_.remove(one);
        if (reset) table_.reset_counters(one);
    });
}

int SimulatedTable::ask_of_one(const nlmsghdr* request, std::vector<Message>& answers) {
    Connection wanted;
    capture::parse_connection(attributes_of(request), wanted);
    const unsigned what = request->nlmsg_type & 0xFFU;
    const packet::CtTuple& tuple = is_whole(wanted.orig) ? wanted.orig : wanted.reply;
    if (!is_whole(tuple)) {
        if (what != IPCTNL_MSG_CT_DELETE) return EINVAL;
        dump(family_of(request), false, nullptr);
        return 0;
    }
    if (what == IPCTNL_MSG_CT_NEW) return change(wanted, request->nlmsg_flags);
    const flow::CtRef found = wanted.zone == 0 ? table_.find(tuple) : flow::CtRef{};
    if (!found) return ENOENT;
    if (what == IPCTNL_MSG_CT_DELETE)
        table_.remove(found);
    else
        answers.push_back(message_of(table_.describe(found), IPCTNL_MSG_CT_NEW, 0));
    return 0;
}

// Creates or updates, as the flags say. The kernel wants to know how long a new one lives.
int SimulatedTable::change(const Connection& wanted, unsigned flags) {
    const packet::CtTuple& tuple = is_whole(wanted.orig) ? wanted.orig : wanted.reply;
    if (wanted.zone != 0) return EOPNOTSUPP;
    flow::CtRef found = table_.find(tuple);
    if (found) {
        if ((flags & NLM_F_EXCL) != 0) return EEXIST;
        table_.set(found, changes_of(wanted));
        return 0;
    }
    if ((flags & NLM_F_CREATE) == 0) return ENOENT;
    if (!wanted.timeout || !is_whole(wanted.orig)) return EINVAL;
    found = table_.create(wanted.orig, wanted.tcp_state);
    if (!found) return ENOMEM;
    table_.set(found, changes_of(wanted));
    table_.created(found);
    return 0;
}

int SimulatedTable::expect(const nlmsghdr* request) {
    const auto wanted = capture::parse_expectation(attributes_of(request));
    if (!wanted) return EINVAL;
    if ((request->nlmsg_type & 0xFFU) == IPCTNL_MSG_EXP_DELETE)
        return table_.unexpect(wanted->expectation.tuple);
    const flow::CtRef master = table_.find(wanted->master);
    return master ? table_.expect(master, wanted->expectation) : ENOENT;
}

} // namespace nfqws2::lua

#endif
