// The words of ladders, in the languages of the page.
#pragma once

#include <string>
#include <string_view>

namespace nfqws2::ctl {

struct Words {
    const char* machine;
    const char* network;
    const char* piece;       // a part of the message
    const char* whole;       // the message, sent by us
    const char* as_it_was;   // the original, behind others
    const char* changed;     // the original with changes
    const char* decoy;       // data that does not belong to the stream
    const char* overlap;     // such data in front of a piece
    const char* readable;    // the name can be read in this packet
    const char* partly;      // a part of the name
    const char* bytes;       // "%lld bytes"
    const char* position;    // "byte %lld"
    const char* bad_sum;     // a wrong checksum
    const char* fragment;    // an IP fragment
    const char* dropped;     // dropped, nothing in its place
    const char* held;        // put aside until the message is whole
    const char* whole_now;   // the message in several packets is there
    const char* by_timer;    // sent by a timer
    const char* released;    // put aside, and now let go as it was
    const char* passed;      // "%lld packets pass"
    const char* more_sent;   // "and %lld more"
    const char* more_rows;   // "the rest is left out: %lld packets"
    const char* failed;      // "error: "
    const char* urgent;      // urgent byte
    const char* legend_host; // the bytes of the host name
    const char* original;    // legend
    const char* no_flow;     // packets without a flow
    const char* profile;     // "profile "
    const char* title;
    const char* more_ladders; // "%lld more flows are left out"
    const char* nothing;      // no packets in the trace
    const char* skipped;      // "%lld lines are none of a trace"
};

// English for any other language than "ru".
const Words& words(std::string_view language);

} // namespace nfqws2::ctl
