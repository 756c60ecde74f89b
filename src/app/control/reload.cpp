// "reload": the options again, or those before.
#include "commands.hpp"

#include "nfqws2/base/json.hpp"
#include "reload/reloader.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using control::Answer;
using Outcome = Reloader::Outcome;

constexpr std::size_t lines_per_piece = 64;

void write_change(std::string& out, const Change& change) {
    JsonWriter json(out);
    json.open_object();
    json.key("change").open_object();
    json.key("what").text(change.what);
    json.key("n");
    change.number != 0 ? json.number(change.number) : json.null();
    json.key("name").text_or_null(change.name);
    json.key("how").text(change.how);
    json.close_object();
    json.close_object();
    out += '\n';
}

void write_finding(std::string& out, const Finding& finding, const std::string& place) {
    JsonWriter json(out);
    json.open_object();
    json.key("finding").open_object();
    json.key("level").text(name(finding.level));
    json.key("option").text_or_null(finding.option);
    json.key("where").text_or_null(place);
    json.key("text").text(finding.text);
    json.close_object();
    json.close_object();
    out += '\n';
}

class ReloadAnswer final : public Answer {
  public:
    explicit ReloadAnswer(Reloader& reloader) : reloader_(reloader), before_(reloader.last()) {}

    // The one that this answer began is the next to end.
    Next write(std::string& out) override {
        if (outcome_ == nullptr && reloader_.last() == before_) return Next::later;
        if (outcome_ == nullptr) outcome_ = reloader_.last();
        const std::size_t findings = outcome_->findings.size();
        const std::size_t all = findings + outcome_->changes.size();
        const std::size_t stop = std::min(written_ + lines_per_piece, all);
        for (; written_ < stop; written_++) {
            if (written_ < findings)
                write_finding(out, outcome_->findings[written_], outcome_->places[written_]);
            else
                write_change(out, outcome_->changes[written_ - findings]);
        }
        if (written_ < all) return Next::more;
        if (outcome_->good)
            write_end(out);
        else
            out += control::error_line({"failed", outcome_->error});
        return Next::end;
    }
    int wait_ms() const override {
        constexpr int look_again_ms = 20;
        return outcome_ == nullptr ? look_again_ms : -1;
    }

  private:
    void write_end(std::string& out) const {
        JsonWriter json(out);
        json.open_object();
        json.key("end").boolean(true);
        json.key("count").number(outcome_->changes.size());
        json.key("reloaded").boolean(outcome_->switched);
        json.close_object();
        out += '\n';
    }

    Reloader& reloader_;
    const std::shared_ptr<const Outcome> before_;
    std::shared_ptr<const Outcome> outcome_;
    std::size_t written_ = 0;
};

} // namespace

control::Command reload_command(const Subject& subject) {
    return {"reload",
            control::Access::all,
            {{"dry_run", control::Kind::flag}, {"undo", control::Kind::flag}},
            [&subject](const control::Request& request,
                       control::Refusal* refusal) -> std::unique_ptr<Answer> {
                const bool dry = request.flag("dry_run"), undo = request.flag("undo");
                if (dry && undo) {
                    *refusal = {"bad-field", "'dry_run' and 'undo' cannot be used together"};
                    return nullptr;
                }
                Reloader& reloader = subject.reloader;
                auto answer = std::make_unique<ReloadAnswer>(reloader);
                const auto what = dry    ? Reloader::What::dry_run
                                  : undo ? Reloader::What::undo
                                         : Reloader::What::reload;
                if (reloader.begin(what)) return answer;
                *refusal = {"busy", "the options are being reloaded already"};
                return nullptr;
            }};
}

} // namespace nfqws2::app
