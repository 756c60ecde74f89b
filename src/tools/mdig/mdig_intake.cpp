#include "mdig/mdig_intake.hpp"

namespace nfqws2::tools {

namespace {

constexpr std::size_t max_batch_lines = 256;

} // namespace

bool Intake::take(unsigned worker, Batch& batch, std::string& domain) {
    domain.clear();
    Line line;
    while (domain.empty() && batch.lines() < max_batch_lines) {
        if (output_.failed()) return false;
        if (!batch.empty() && input_.would_wait()) break;
        if (!read_line(batch, line)) break;
        handle(worker, line, batch, domain);
    }
    return !domain.empty() || !batch.empty();
}

bool Intake::read_line(const Batch& batch, Line& line) {
    if (!batch.empty() || !input_.would_wait()) return input_.next(line);
    output_.set_waiting(true);
    const bool found = input_.next(line);
    output_.set_waiting(false);
    return found;
}

void Intake::handle(unsigned worker, const Line& line, Batch& batch, std::string& domain) {
    const MdigLine what = line.too_long ? MdigLine{} : classify_line(line.text, options_.families);
    std::string complaint;
    switch (what.kind) {
    case LineKind::empty:
        batch.add_blank();
        return;
    case LineKind::domain:
        domain = line.text;
        return;
    case LineKind::literal:
        batch.print_literal(what);
        break;
    case LineKind::wrong_family:
        if (output_.verbose()) complaint = "wrong address family " + std::string(what.address);
        break;
    case LineKind::bad_subnet:
        if (output_.verbose()) complaint = "bad ip/subnet " + printable(line.text);
        break;
    case LineKind::invalid:
        if (output_.verbose()) complaint = "invalid domain : " + printable(line.text);
        break;
    }
    if (!complaint.empty()) output_.message(worker, complaint);
    batch.add_done(line.text, what.kind == LineKind::literal, output_.logging());
}

} // namespace nfqws2::tools
