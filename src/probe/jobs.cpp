#include "batch.hpp"
#include "lines.hpp"

#include <string>
#include <vector>

namespace nfqws2::probe {

namespace {

constexpr std::size_t longest_job = 65536;

// As many jobs at once as connections may be open; the attempts of a job are made one after
// another.
class Jobs {
  public:
    Jobs(const Options& options, Asker& asker, std::FILE* jobs, std::FILE* results)
        : options_(options), asker_(asker), lines_(jobs), results_(results) {}
    End run();

  private:
    struct Running {
        Job job;
        bool good = true; // so far
    };

    bool next_job(Job& job);
    void begin(std::size_t place);
    void ask(std::size_t place, std::uint32_t number);
    void take(const Answer& answer);

    const Options& options_;
    Asker& asker_;
    Lines lines_;
    std::FILE* results_;
    std::vector<Running> running_;
    std::size_t open_ = 0; // answers to come
    bool failed_ = false;  // the output
    bool enough_ = false;
};

bool Jobs::next_job(Job& job) {
    std::string line;
    while (lines_.next(line)) {
        auto read = line.size() <= longest_job ? read_job(line) : std::nullopt;
        if (read) {
            job = std::move(*read);
            return true;
        }
        std::fprintf(stderr, "no job: %.200s\n", line.c_str());
    }
    return false;
}

void Jobs::begin(std::size_t place) {
    Running& one = running_[place];
    one.good = true;
    if (next_job(one.job)) {
        ask(place, one.job.first);
    }
}

void Jobs::ask(std::size_t place, std::uint32_t number) {
    const Job& job = running_[place].job;
    Question question{job};
    question.owner = place;
    question.number = number;
    question.port = static_cast<std::uint16_t>(job.port == 0 ? 0 : job.port + number - 1);
    question.mark = job.mark;
    asker_.ask(question);
    ++open_;
}

void Jobs::take(const Answer& answer) {
    Running& one = running_[answer.owner];
    const std::string line = std::to_string(one.job.index) + '|' + std::to_string(answer.number) +
                             '|' + attempt_text(answer.attempt) + '\n';
    failed_ |= std::fwrite(line.data(), 1, line.size(), results_) != line.size();
    --open_;
    one.good = one.good && answer.attempt.code == 0;
    const bool last = answer.number >= one.job.last;
    if (last && one.good && options_.enough) {
        enough_ = true;
    } else if (last || (!one.good && options_.stop_at_failure)) {
        begin(answer.owner);
    } else {
        ask(answer.owner, answer.number + 1);
    }
}

End Jobs::run() {
    std::vector<Answer> answers;
    do {
        running_.emplace_back();
        begin(running_.size() - 1);
    } while (open_ == running_.size() && open_ < options_.parallel);
    while (open_ > 0 && !enough_ && !failed_ && !is_stopped()) {
        if (!asker_.work(100, answers)) {
            return End::failed;
        }
        for (const Answer& answer : answers) {
            if (!enough_) {
                take(answer);
            }
        }
        answers.clear();
        failed_ |= std::fflush(results_) != 0;
    }
    return failed_ || is_stopped() ? End::failed : enough_ ? End::enough : End::done;
}

} // namespace

End run_jobs(const Options& options, Asker& asker, std::FILE* jobs, std::FILE* results) {
    return Jobs(options, asker, jobs, results).run();
}

} // namespace nfqws2::probe
