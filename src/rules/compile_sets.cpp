// Sets of addresses: those of all profiles, and a profile's own.
#include "compiler.hpp"

#include "regular_file.hpp"

#include <utility>

namespace nfqws2::rules {

void Compiler::global_sets(const Node& node, const std::string& file) {
    if (!node.is(Node::Kind::table)) return values().wrong_kind(node, "a table");
    for (const Member& member : node.members) {
        if (names_.global_sets.contains(member.key)) {
            findings_.error(member.at, "there is a set '" + member.key + "' already");
            continue;
        }
        const auto index = add_set(member, directory_of(file));
        if (!index) continue;
        if (global_sets_.size() == PrefixSets::max_sets)
            return findings_.error(member.at, "more than 64 sets");
        names_.global_sets[member.key] = static_cast<std::uint32_t>(global_sets_.size());
        global_sets_.push_back(*index);
    }
}

std::optional<std::uint32_t> Compiler::add_set(const Member& member, const std::string& directory) {
    if (!is_name(member.key)) {
        findings_.error(member.at, "'" + member.key + "' is no name for a set");
        return std::nullopt;
    }
    if (!member.value.is(Node::Kind::table)) {
        values().wrong_kind(member.value, "a table with 'file' or 'prefixes'");
        return std::nullopt;
    }
    Members members(values(), member.value, "a set");
    const Node* file = members.take("file");
    const Node* prefixes = members.take("prefixes");
    members.finish();
    if ((file == nullptr) == (prefixes == nullptr)) {
        findings_.error(member.at, "a set needs one of 'file' and 'prefixes'");
        return std::nullopt;
    }
    PrefixSet set;
    set.name = member.key;
    if (file != nullptr) {
        const auto path = values().text(*file);
        if (!path) return std::nullopt;
        set.file = path->starts_with('/') ? *path : directory + *path;
        if (files_in_reach_ && is_irregular(set.file))
            findings_.error(file->at, set.file + ": not a regular file");
    } else {
        add_entries(*prefixes, set);
    }
    program_->sets.push_back(std::move(set));
    build_.sets.push_back(member.at);
    return static_cast<std::uint32_t>(program_->sets.size() - 1);
}

void Compiler::add_entries(const Node& node, PrefixSet& set) {
    for (const Node* item : Values::each(node)) {
        const auto text = values().text(*item);
        if (!text) continue;
        const auto entry = PrefixEntry::parse(*text);
        if (!entry)
            findings_.error(item->at, "'" + *text + "' is no prefix, or PREFIX=VALUE");
        else if (entry->prefix.host_bits)
            findings_.error(item->at, "'" + *text + "' has host bits");
        else
            set.entries.push_back(*entry);
    }
}

void Compiler::local_sets(const Node& node, SetView& view) {
    if (!node.is(Node::Kind::table)) return values().wrong_kind(node, "a table");
    for (const Member& member : node.members) {
        const auto index = add_set(member, main_directory_);
        if (!index) continue;
        if (view.sets.size() == PrefixSets::max_sets)
            return findings_.error(member.at, "more than 64 sets, with the global ones");
        names_.local_sets[member.key] = static_cast<std::uint32_t>(view.sets.size());
        view.sets.push_back(*index);
    }
}

} // namespace nfqws2::rules
