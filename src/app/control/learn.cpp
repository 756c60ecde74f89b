// "learn": what the orchestrator of this name remembers, and changes to it by people.
#include "commands.hpp"
#include "learned_hosts.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/sort.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using control::Answer;
using control::Refusal;
using control::Request;
using store::RecordPointer;

constexpr std::size_t lines_per_piece = 200;

// The store of the scripts; theirs is the room if there is none yet.
struct Table {
    store::Stores& stores;
    std::size_t number;
    const profile::Generation& profiles; // in force

    std::vector<RecordPointer> records() const { return stores.records(number); }
};

// What a request is about: a key, a host, or all.
struct Wanted {
    std::optional<std::string> key, host;

    explicit Wanted(const Request& request) {
        if (const std::string* text = request.text("key")) key = key_part(*text);
        if (const std::string* text = request.text("host"))
            host = *text == "*" ? "*" : host_part(ascii_lower(*text));
    }
    bool admits(std::string_view record) const {
        const auto name = record_name(record);
        return name && (!key || name->key == *key) && (!host || name->host == *host);
    }
};

std::vector<RecordPointer> wanted_records(const Table& table, const Wanted& wanted) {
    std::vector<RecordPointer> records = table.records();
    std::erase_if(records, [&](const RecordPointer& r) { return !wanted.admits(r->key); });
    return records;
}

// Lines that are made when they are written: a piece is small, all of them may be much.
class LinesAnswer : public Answer {
  public:
    Next write(std::string& out) override {
        const std::size_t stop = std::min(written_ + lines_per_piece, count());
        for (; written_ < stop; written_++)
            write_one(out, written_);
        if (written_ < count()) return Next::more;
        out += end_line(written_, more_);
        return Next::end;
    }

  protected:
    virtual std::size_t count() const = 0;
    virtual void write_one(std::string& out, std::size_t index) const = 0;
    bool more_ = false;

  private:
    std::size_t written_ = 0;
};

class ListAnswer final : public LinesAnswer {
  public:
    ListAnswer(std::vector<LearnedHost> hosts, std::uint64_t limit) : hosts_(std::move(hosts)) {
        const auto most = static_cast<std::size_t>(limit);
        if (most == 0 || hosts_.size() <= most) return;
        hosts_.resize(most);
        more_ = true;
    }

  private:
    std::size_t count() const override { return hosts_.size(); }
    void write_one(std::string& out, std::size_t index) const override {
        out += learned_line(hosts_[index]);
    }

    std::vector<LearnedHost> hosts_;
};

class ExportAnswer final : public LinesAnswer {
  public:
    explicit ExportAnswer(std::vector<RecordPointer> records) : records_(std::move(records)) {
        sort_stably(records_, [](const auto& a, const auto& b) { return a->key < b->key; });
    }

  private:
    std::size_t count() const override { return records_.size(); }
    void write_one(std::string& out, std::size_t index) const override {
        JsonWriter json(out);
        json.open_object();
        json.key("record").text(store::to_line(*records_[index]));
        json.close_object();
        out += '\n';
    }

    std::vector<RecordPointer> records_;
};

std::unique_ptr<Answer> list(const Table& table, const Request& request, Refusal*) {
    return std::make_unique<ListAnswer>(learned_hosts(wanted_records(table, Wanted(request))),
                                        limit_of(request));
}

std::unique_ptr<Answer> export_all(const Table& table, const Request& request, Refusal*) {
    return std::make_unique<ExportAnswer>(wanted_records(table, Wanted(request)));
}

std::unique_ptr<Answer> done(std::uint64_t count) {
    return std::make_unique<control::ReadyAnswer>(end_line(count));
}

std::unique_ptr<Answer> forget(const Table& table, const Request& request, Refusal* refusal) {
    const Wanted wanted(request);
    refusal->text = "'host', 'key', or 'all' is needed";
    if (!wanted.host && !wanted.key && !request.flag("all")) return nullptr;
    std::uint64_t count = 0;
    for (const RecordPointer& record : wanted_records(table, wanted)) {
        table.stores.erase(table.number, record->key);
        count++;
    }
    return done(count);
}

// The only key that there is.
std::optional<std::string> only_key(const Table& table, Refusal* refusal) {
    std::optional<std::string> found;
    for (const RecordPointer& record : table.records()) {
        const auto name = record_name(record->key);
        if (!name || (found && *found == name->key)) continue;
        refusal->text = "'key' is needed, there are several";
        if (found) return std::nullopt;
        found = name->key;
    }
    if (!found) refusal->text = "'key' is needed, nothing was learned yet";
    return found;
}

void set_pin(store::Fields& fields, const std::int64_t* strategy) {
    std::erase_if(fields, [](const auto& field) { return field.first == "pin"; });
    if (strategy != nullptr) fields.emplace_back("pin", static_cast<double>(*strategy));
}

// Without a strategy: from now on none is wanted.
std::unique_ptr<Answer> pin(const Table& table, const Request& request, Refusal* refusal) {
    const Wanted wanted(request);
    refusal->text = "'host' is needed";
    if (!wanted.host || wanted.host->empty() || wanted.host == "*") return nullptr;
    const auto key = wanted.key ? wanted.key : only_key(table, refusal);
    if (!key) return nullptr;
    const std::int64_t* strategy = request.number("strategy");
    if (strategy != nullptr) {
        const unsigned last = Learnings(&table.stores, table.profiles).last_strategy(*key);
        if (last != 0 && *strategy > last) {
            refusal->text = "the strategies of '" + *key + "' are 1 to " + std::to_string(last);
            return nullptr;
        }
    }
    const std::string name = *key + '/' + *wanted.host;
    // A worker may write at the same time; then once more.
    for (;;) {
        const RecordPointer before = table.stores.find(table.number, name);
        store::Record record{name, {}, table.stores.now(), store::default_ttl};
        store::Fields fields = before ? store::unpack_fields(before->fields) : store::Fields();
        if (strategy == nullptr && fields.empty()) return done(0);
        set_pin(fields, strategy);
        if (fields.empty()) { // it was nothing else
            if (table.stores.erase_if(table.number, before)) return done(1);
            continue;
        }
        auto views = store::views_of(fields);
        record.fields = store::pack_fields(views);
        if (strategy != nullptr) record.ttl = store::for_ever;
        if (table.stores.put(table.number, std::move(record), before)) return done(1);
    }
}

// Lines that were left out, and the numbers of the first ones.
class LeftOut {
  public:
    void add(std::uint64_t line) {
        constexpr std::size_t most = 10;
        if (++count_ <= most) first_.push_back(line);
    }
    void write(JsonWriter& json, const char* count, const char* lines) const {
        json.key(count).number(count_);
        json.key(lines).open_array();
        for (const std::uint64_t line : first_)
            json.number(line);
        json.close_array();
    }

  private:
    std::uint64_t count_ = 0;
    std::vector<std::uint64_t> first_;
};

// What became of the lines of an import.
struct Imported {
    std::uint64_t taken = 0, older = 0;
    LeftOut damaged, no_room;

    std::unique_ptr<Answer> answer() const {
        std::string out;
        JsonWriter json(out);
        json.open_object();
        json.key("end").boolean(true);
        json.key("count").number(taken);
        json.key("older").number(older);
        damaged.write(json, "damaged", "damaged_lines");
        no_room.write(json, "no_room", "no_room_lines");
        json.close_object();
        return std::make_unique<control::ReadyAnswer>(out + '\n');
    }
};

// Once more if a worker writes at the same time.
void import_one(const Table& table, const store::Record& record, std::uint64_t line,
                Imported& imported) {
    using Insertion = store::Stores::Insertion;
    for (;;) {
        const RecordPointer now = table.stores.find(table.number, record.key);
        if (record.expired(table.stores.now()) ||
            (now != nullptr && now->written > record.written)) {
            imported.older++;
            return;
        }
        const Insertion result = table.stores.insert(table.number, record, now);
        if (result == Insertion::overtaken) continue;
        if (result == Insertion::done)
            imported.taken++;
        else
            imported.no_room.add(line);
        return;
    }
}

// Lines of a file; what has expired or is older than what is known is left out, and so is what
// would push out something else.
std::unique_ptr<Answer> import_lines(const Table& table, const Request& request, Refusal* refusal) {
    const std::string* text = request.text("records");
    refusal->text = "'records' is needed";
    if (text == nullptr) return nullptr;
    Imported imported;
    table.stores.forget_expired();
    std::uint64_t number = 0;
    for (std::string_view line : split(*text, '\n')) {
        number++;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        const auto record = store::from_line(line);
        if (record && record_name(record->key))
            import_one(table, *record, number, imported);
        else
            imported.damaged.add(number);
    }
    return imported.answer();
}

struct Action {
    std::string_view name;
    control::Access access;
    std::unique_ptr<Answer> (*make)(const Table&, const Request&, Refusal*);
};

constexpr Action actions[] = {{"list", control::Access::read, list},
                              {"export", control::Access::read, export_all},
                              {"pin", control::Access::all, pin},
                              {"forget", control::Access::all, forget},
                              {"import", control::Access::all, import_lines}};

std::unique_ptr<Answer> act(const Subject& subject, const Request& request, Refusal* refusal) {
    const std::string* given = request.text("action");
    const std::string_view name = given != nullptr ? std::string_view(*given) : "list";
    const auto* const action = std::find_if(std::begin(actions), std::end(actions),
                                            [name](const Action& row) { return row.name == name; });
    *refusal = {"bad-field", "'action' is list, export, pin, forget or import"};
    if (action == std::end(actions)) return nullptr;
    if (request.access < action->access) {
        *refusal = {"forbidden", "'" + std::string(name) + "' is not for this user"};
        return nullptr;
    }
    store::Stores* stores = subject.workers.shared().stores;
    const char* error = "there are no stores";
    const auto number = stores != nullptr ? stores->open(store_of_learn, &error) : std::nullopt;
    if (!number) {
        *refusal = {"failed", error};
        return nullptr;
    }
    const profile::GenerationPtr profiles = subject.workers.shared().profiles.generation();
    return action->make({*stores, *number, *profiles}, request, refusal);
}

} // namespace

control::Command learn_command(const Subject& subject) {
    using control::Kind;
    return {"learn",
            control::Access::read,
            {{"action", Kind::text},
             {"host", Kind::text},
             {"key", Kind::text},
             {"strategy", Kind::number, 0, 65535},
             {"limit", Kind::number, 0, INT32_MAX},
             {"records", Kind::text},
             {"all", Kind::flag}},
            [&subject](const Request& request, Refusal* refusal) {
                return act(subject, request, refusal);
            }};
}

} // namespace nfqws2::app
