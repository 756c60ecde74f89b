// The words of the command line. Each adds its options to the description of the program, and does
// its work when it is called; what goes wrong is thrown as Failure.
#pragma once

#include "client/connection.hpp"
#include "doctor/finding.hpp"
#include "view/terminal.hpp"

#include <CLI/CLI.hpp>

#include <initializer_list>
#include <memory>
#include <string>

namespace nfqws2::ctl {

// The options that all words share.
struct Shared {
    std::string socket, queue;
    bool json = false;
    std::string find_socket() const; // throws Failure
    Connection connect() const { return Connection(find_socket()); }
};
using SharedPtr = std::shared_ptr<const Shared>;

void add_asking(CLI::App& app,
                const SharedPtr& shared); // status, counters, flows, hosts, lists, find, why
void add_streaming(CLI::App& app, const SharedPtr& shared); // trace, log
void add_acting(CLI::App& app, const SharedPtr& shared);    // metrics, reload, stop
void add_learn(CLI::App& app, const SharedPtr& shared);
void add_rules(CLI::App& app, const SharedPtr& shared); // rules, marks
void add_top(CLI::App& app, const SharedPtr& shared);
void add_serve(CLI::App& app, const SharedPtr& shared);
void add_ladder(CLI::App& app);
void add_up(CLI::App& app); // up, down
// *code becomes the program's exit code: 1 if something is wrong.
void add_doctor(CLI::App& app, const SharedPtr& shared, int* code);
// What the doctor finds on this machine; throws Failure.
Findings diagnose(const Shared& shared);

// Everything written goes through here: an output that cannot be written to ends the program.
void print(std::string_view text);

// Of a word that has no use for these of the shared options: who gives one is told.
void refuse_options(const CLI::App& app, std::initializer_list<const char*> names);

// Words of several commands.
void add_flow_filters(CLI::App& word, Json& request);

} // namespace nfqws2::ctl
