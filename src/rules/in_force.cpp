#include "in_force.hpp"

#include "regular_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

namespace nfqws2::rules {
namespace {

TableSetup with_entries(TableSetup setup, const Program& program, std::uint64_t entries) {
    setup.entries = static_cast<std::size_t>(entries);
    setup.ipv6_source_bits = program.ipv6_source_bits;
    return setup;
}

// False: *error says why. The sets of one view become one table.
bool read_view(const Program& program, const SetView& view, PrefixSetsBuilder& builder,
               std::string* error, std::vector<std::string>* warnings) {
    for (const std::uint32_t index : view.sets) {
        const PrefixSet& set = program.sets[index];
        const auto number = builder.add_set(set.with_values);
        if (!number) continue; // the compiler has counted them
        if ((view.used >> *number & 1U) == 0) continue;
        for (const PrefixEntry& entry : set.entries)
            builder.add(*number, entry);
        if (set.file.empty()) continue;
        const PrefixFileReport report = builder.add_file(*number, set.file);
        for (const std::string& complaint : report.complaints)
            warnings->push_back(complaint);
        if (report.bad_lines > report.complaints.size())
            warnings->push_back(set.file + ": " +
                                std::to_string(report.bad_lines - report.complaints.size()) +
                                " more lines are no networks");
        if (report.ok) continue;
        *error = report.error;
        return false;
    }
    return true;
}

Tables::Limits limits_of(const Program& program) {
    return {static_cast<std::size_t>(program.limits.marks),
            static_cast<std::size_t>(program.limits.buckets),
            static_cast<std::size_t>(program.limits.sources)};
}

// What is read beside the file of rules.
class Data {
  public:
    Data(const Program& program, MemoryBudget* budget, std::string* error,
         std::vector<std::string>* warnings)
        : program_(program), budget_(budget), error_(error), warnings_(warnings) {}

    // False: *error says why.
    bool read_into(InForce& out, std::vector<FileDescriptor> databases, const InForce* before) {
        std::size_t memory = 0;
        for (const SetView& view : program_.views) {
            PrefixSetsBuilder builder;
            if (!read_view(program_, view, builder, error_, warnings_)) return false;
            out.views.push_back(builder.build());
            memory += out.views.back()->memory();
            out.of_sets.set(memory);
        }
        if (program_.geoip_files.empty()) return true;
        out.geo = read_databases(std::move(databases));
        if (out.geo == nullptr && before != nullptr) out.geo = keep_databases(*before);
        return out.geo != nullptr;
    }

  private:
    std::shared_ptr<const GeoDatabases> read_databases(std::vector<FileDescriptor> databases) {
        auto geo = std::make_shared<GeoDatabases>(budget_);
        for (std::size_t i = 0; i < program_.geoip_files.size(); i++) {
            FileDescriptor opened =
                i < databases.size() ? std::move(databases[i]) : FileDescriptor();
            if (!geo->add(program_.geoip_files[i], error_, std::move(opened))) return nullptr;
        }
        return geo;
    }
    // One that only root may read was opened before the program gave its rights away.
    std::shared_ptr<const GeoDatabases> keep_databases(const InForce& before) {
        if (before.geo == nullptr || before.program->geoip_files != program_.geoip_files)
            return nullptr;
        const bool refused = error_->find(std::strerror(EACCES)) != std::string::npos;
        warnings_->push_back(*error_ + ": what was read of it before stays in force" +
                             (refused ? "; the running daemon may not read it (--user): a restart, "
                                        "or the right to read it, is needed"
                                      : ""));
        error_->clear();
        return before.geo;
    }

    const Program& program_;
    MemoryBudget* budget_;
    std::string* error_;
    std::vector<std::string>* warnings_;
};

} // namespace

std::vector<FileDescriptor> open_databases(const Compiled& rules) {
    std::vector<FileDescriptor> out;
    for (const std::string& path : rules.databases) {
        std::string unused; // who reads it says so
        out.push_back(open_regular(path, &unused));
    }
    return out;
}

std::shared_ptr<const InForce> read_data(std::shared_ptr<const Program> program,
                                         std::vector<FileDescriptor> databases, std::string* error,
                                         std::vector<std::string>* warnings) {
    auto out = std::make_shared<InForce>(nullptr);
    if (!Data(*program, nullptr, error, warnings).read_into(*out, std::move(databases), nullptr))
        return nullptr;
    out->program = std::move(program);
    return out;
}

Tables::Tables(const Program& program, const TableSetup& setup)
    : limits(limits_of(program)), key(setup.key),
      marks(with_entries(setup, program, program.limits.marks)),
      meters(with_entries(setup, program, program.limits.buckets)),
      authentication(with_entries(setup, program, program.limits.sources)) {
}

void Tables::set_limits(const Program& program) {
    limits = limits_of(program);
    marks.set_limit(limits.marks);
    meters.set_limit(limits.buckets);
    authentication.set_limit(limits.sources);
}

std::shared_ptr<const InForce>
bring_in_force(std::shared_ptr<const Program> program, Tables& tables, MemoryBudget* budget,
               std::string* error, std::vector<std::string>* warnings,
               std::vector<FileDescriptor> databases, const InForce* before) {
    auto out = std::make_shared<InForce>(budget);
    if (!Data(*program, budget, error, warnings).read_into(*out, std::move(databases), before))
        return nullptr;
    for (const Program::NamedMeter& meter : program->ratelimits)
        out->ratelimits.push_back(tables.meters.ratelimit(meter.id, meter.parameters));
    for (const Program::NamedMeter& meter : program->rates)
        out->rates.push_back(tables.meters.rate(meter.id, meter.parameters));
    for (const action::TcpAuth& auth : program->authentications)
        tables.authentication.configure(auth.id, auth.parameters);
    out->program = std::move(program);
    return out;
}

} // namespace nfqws2::rules
