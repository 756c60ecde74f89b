#include "transfers.hpp"

#include "job.hpp"
#include "verdict.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <curl/curl.h>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <vector>

// Theory of operation. There are as many slots as connections may be open. A slot has a job and a
// handle of libcurl, which it resets for each attempt; every attempt is a connection of its own,
// from the local port that the job names. Jobs are read when a slot is free, so their number does
// not matter. The request is the one that the curl program would send for blockcheck2: results of
// both are compared.

namespace nfqws2::probe {

namespace {

constexpr std::size_t longest_job = 65536;
constexpr std::size_t longest_location = 4096;

struct ListFree {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListFree>;

struct EasyFree {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

// One attempt of one job, again and again.
struct Slot {
    std::unique_ptr<CURL, EasyFree> easy;
    Job job;
    std::uint32_t number = 0; // of the attempt
    bool good = true;         // so far
    std::string location;     // of the last answer
    List place;
    std::array<char, CURL_ERROR_SIZE> error{};
};

bool append(List& list, const std::string& text) {
    curl_slist* const longer = curl_slist_append(list.get(), text.c_str());
    if (longer == nullptr) {
        return false;
    }
    // The head stays the same unless there was none.
    [[maybe_unused]] curl_slist* const before = list.release();
    list.reset(longer);
    return true;
}

std::size_t discard(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
}

// Notes where a redirect leads to. What counts is the last answer.
std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& location = static_cast<Slot*>(user)->location;
    std::string_view line(data, size * count);
    constexpr std::string_view name = "location:";
    if (line.substr(0, 5) == "HTTP/") {
        location.clear();
    } else if (line.size() > name.size() &&
               curl_strnequal(line.data(), name.data(), name.size()) != 0) {
        line.remove_prefix(name.size());
        line.remove_prefix(line.front() == ' ' ? 1 : 0);
        location = line.substr(0, std::min(line.find_last_not_of("\r\n") + 1, longest_location));
    }
    return size * count;
}

int set_mark(void* user, curl_socket_t socket, curlsocktype) {
    const std::uint32_t mark = static_cast<const Slot*>(user)->job.mark;
    if (mark != 0 && setsockopt(socket, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) {
        return CURL_SOCKOPT_ERROR;
    }
    return CURL_SOCKOPT_OK;
}

// The newest version stands in the upper half (CURL_SSLVERSION_MAX_...).
constexpr long this_version_only(long version) {
    return version | (version << 16);
}

class Transfers {
  public:
    Transfers(const Options& options, std::FILE* jobs, std::FILE* results)
        : options_(options), jobs_(jobs), results_(results), multi_(curl_multi_init()) {}
    ~Transfers();
    Transfers(const Transfers&) = delete;
    Transfers& operator=(const Transfers&) = delete;
    bool run();
    bool enough() const { return enough_; }

  private:
    bool prepare();
    bool next_job(Slot& slot);
    void begin(Slot& slot);
    bool start_attempt(Slot& slot);
    void set_up(Slot& slot);
    void set_up_tls(CURL* easy, Protocol protocol) const;
    void finish(Slot& slot, CURLcode code);
    Attempt outcome(Slot& slot, CURLcode code) const;
    void report(const Slot& slot, const Attempt& attempt);
    void take_finished();

    const Options& options_;
    std::FILE* jobs_;
    std::FILE* results_;
    CURLM* multi_;
    List headers_;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::size_t running_ = 0;
    bool failed_ = false; // the output
    bool enough_ = false;
    char* text_ = nullptr; // the line just read
    std::size_t text_size_ = 0;
};

Transfers::~Transfers() {
    for (const auto& slot : slots_) {
        curl_multi_remove_handle(multi_, slot->easy.get());
    }
    slots_.clear();
    curl_multi_cleanup(multi_);
    std::free(text_);
}

bool Transfers::prepare() {
    if (multi_ == nullptr) {
        return false;
    }
    for (const auto& header : options_.headers) {
        if (!append(headers_, header)) {
            return false;
        }
    }
    return true;
}

// --- jobs

// False when there is none left.
bool Transfers::next_job(Slot& slot) {
    ssize_t length = 0;
    while ((length = getline(&text_, &text_size_, jobs_)) > 0) {
        const std::string_view line(text_, static_cast<std::size_t>(length));
        auto job = line.size() <= longest_job ? read_job(line) : std::nullopt;
        if (job) {
            slot.job = std::move(*job);
            slot.number = slot.job.first;
            slot.good = true;
            return true;
        }
        std::fprintf(stderr, "no job: %.200s\n", text_);
    }
    return false;
}

// Gives a free slot work, if there is any.
void Transfers::begin(Slot& slot) {
    while (!enough_ && next_job(slot)) {
        if (start_attempt(slot)) {
            return;
        }
    }
}

bool Transfers::start_attempt(Slot& slot) {
    set_up(slot);
    if (curl_multi_add_handle(multi_, slot.easy.get()) != CURLM_OK) {
        report(slot, {CURLE_OUT_OF_MEMORY, 0, 0, 0, false, "out of memory"});
        return false;
    }
    ++running_;
    return true;
}

// --- a request

void Transfers::set_up_tls(CURL* easy, Protocol protocol) const {
    if (protocol == Protocol::tls12) {
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, this_version_only(CURL_SSLVERSION_TLSv1_2));
    } else if (protocol == Protocol::tls13) {
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, this_version_only(CURL_SSLVERSION_TLSv1_3));
    } else {
#ifdef CURL_VERSION_HTTP3
        // CURL_HTTP_VERSION_3ONLY, younger than the oldest libcurl that compiles this
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, 31L);
#endif
    }
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_NOBODY, options_.head ? 1L : 0L);
    if (!options_.cacert.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, options_.cacert.c_str());
    }
    if (options_.insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

void Transfers::set_up(Slot& slot) {
    CURL* const easy = slot.easy.get();
    const Job& job = slot.job;
    const bool plain = job.protocol == Protocol::http;
    const unsigned port = plain                             ? options_.http_port
                          : job.protocol == Protocol::http3 ? options_.quic_port
                                                            : options_.https_port;
    curl_easy_reset(easy);
    slot.error[0] = '\0';
    slot.location.clear();
    slot.place.reset();
    // The name is not looked up, and the port of the address is not in the request.
    const std::string address = job.ipv6() ? '[' + job.address + ']' : job.address;
    append(slot.place, std::string(job.host()) + "::" + address + ':' + std::to_string(port));
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, slot.place.get());
    curl_easy_setopt(easy, CURLOPT_URL, ((plain ? "http://" : "https://") + job.place).c_str());
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &slot);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot.error.data());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.max_time));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &slot);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_mark);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, &slot);
    if (headers_) {
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
    }
    if (job.port != 0) {
        curl_easy_setopt(easy, CURLOPT_LOCALPORT, static_cast<long>(job.port + slot.number - 1));
        curl_easy_setopt(easy, CURLOPT_LOCALPORTRANGE, 1L);
    }
    if (!plain) {
        set_up_tls(easy, job.protocol);
    }
}

// --- its end

Attempt Transfers::outcome(Slot& slot, CURLcode code) const {
    CURL* const easy = slot.easy.get();
    Attempt attempt;
    attempt.code = code;
    curl_off_t total = 0;
    curl_off_t connect = 0;
    curl_off_t bytes = 0;
    const char* address = nullptr;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &attempt.status);
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total);
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect);
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
    attempt.bytes = static_cast<std::uint64_t>(bytes);
    attempt.milliseconds = static_cast<std::uint64_t>(total / 1000);
    // Some versions count a TLS connection only when its handshake is over, but tell the address.
    attempt.connected = connect != 0 || (address != nullptr && *address != '\0');
    if (code != CURLE_OK) {
        attempt.error = "curl: (" + std::to_string(code) + ") " +
                        (slot.error[0] != '\0' ? slot.error.data() : curl_easy_strerror(code));
    } else if (slot.job.protocol == Protocol::http) {
        judge_http(attempt, slot.location, slot.job.host());
    }
    return attempt;
}

void Transfers::report(const Slot& slot, const Attempt& attempt) {
    const std::string line = attempt_line(slot.job.index, slot.number, attempt, slot.job.address);
    failed_ |= std::fwrite(line.data(), 1, line.size(), results_) != line.size();
}

void Transfers::finish(Slot& slot, CURLcode code) {
    const Attempt attempt = outcome(slot, code);
    report(slot, attempt);
    curl_multi_remove_handle(multi_, slot.easy.get());
    --running_;
    slot.good = slot.good && attempt.code == 0;
    const bool last = slot.number >= slot.job.last;
    if (last && slot.good && options_.enough) {
        enough_ = true;
    } else if (last || (!slot.good && options_.stop_at_failure)) {
        begin(slot);
    } else {
        ++slot.number;
        if (!start_attempt(slot)) {
            begin(slot);
        }
    }
}

void Transfers::take_finished() {
    int left = 0;
    while (CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        Slot* slot = nullptr;
        const CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        finish(*slot, code);
        if (enough_) {
            return;
        }
    }
    failed_ |= std::fflush(results_) != 0;
}

bool Transfers::run() {
    if (!prepare()) {
        return false;
    }
    while (slots_.size() < options_.parallel) {
        auto slot = std::make_unique<Slot>();
        slot->easy.reset(curl_easy_init());
        if (!slot->easy) {
            return false;
        }
        const std::size_t before = running_;
        slots_.push_back(std::move(slot));
        begin(*slots_.back());
        if (running_ == before) { // no job is left
            break;
        }
    }
    while (running_ > 0 && !enough_ && !failed_) {
        int still = 0;
        if (curl_multi_perform(multi_, &still) != CURLM_OK) {
            return false;
        }
        take_finished();
        if (running_ > 0 && !enough_ &&
            curl_multi_poll(multi_, nullptr, 0, 1000, nullptr) != CURLM_OK) {
            return false;
        }
    }
    return std::fflush(results_) == 0 && !failed_;
}

} // namespace

End run_jobs(const Options& options, std::FILE* jobs, std::FILE* results) {
    Transfers transfers(options, jobs, results);
    if (!transfers.run()) {
        return End::failed;
    }
    return transfers.enough() ? End::enough : End::done;
}

} // namespace nfqws2::probe
