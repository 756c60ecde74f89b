#include "findings.hpp"

#include "nfqws2/base/text.hpp"

namespace nfqws2::rules {

std::uint16_t Findings::add_file(std::string name) {
    files_.push_back(std::move(name));
    return static_cast<std::uint16_t>(files_.size() - 1);
}

std::string Findings::line(Place at, const std::string& text) const {
    std::string out =
        files_[at.file] + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": ";
    if (!where.empty()) out += "in " + where + ": ";
    return out + printable(text);
}

void Findings::error(Place at, const std::string& text) {
    if (full()) return;
    errors_.push_back(line(at, text));
    positioned_.push_back({at, where.empty() ? text : "in " + where + ": " + text});
    if (full()) errors_.push_back(files_.front() + ": there may be more errors behind these");
}

void Findings::warn(Place at, const std::string& text) {
    if (warnings_.size() < 200) warnings_.push_back(line(at, text));
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
    const std::string_view near = nearest(word, known);
    return near.empty() ? "" : ", did you mean '" + std::string(near) + "'?";
}

} // namespace nfqws2::rules
