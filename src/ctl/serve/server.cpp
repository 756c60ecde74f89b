// Theory of operation. Each request of the page asks the daemon over a connection of its own, which
// is short, except for streams (server-sent events), of which there are few. One thread takes a
// sample of the counters now and then; the live streams of all pages are fed from it.
#include "serve/server.hpp"

#include "client/connection.hpp"
#include "ladder/draw.hpp"
#include "nfqws2/base/text.hpp"
#include "serve/api.hpp"
#include "serve/blockcheck.hpp"
#include "serve/history.hpp"
#include "serve/page_files.hpp"

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <mutex>
#include <thread>

namespace nfqws2::ctl {
namespace {

using httplib::Request;
using httplib::Response;

constexpr std::size_t threads = 16, max_streams = 10, max_body = 4 << 20;
constexpr const char* json_type = "application/json";
constexpr const char* cookie_name = "nfqws2_token";
// Nothing from outside, no script but those of the page.
constexpr const char* content_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

class Site {
  public:
    explicit Site(const ServeOptions& options) : options_(options) {}
    void run(const std::function<void(const Listen&)>& ready);

  private:
    // Whether the request may go on; else the answer is made.
    bool admitted(const Request& request, Response& response) const;
    bool has_token(const Request& request) const;
    void routes();
    void hello(Response& response) const;
    void ask(const std::string& what, const Request& request, Response& response) const;
    void reload(const Request& request, Response& response) const;
    void change_learned(const Request& request, Response& response) const;
    void doctor(Response& response);
    void blockcheck(Response& response) const;
    void metrics(Response& response) const;
    void ladder(const Request& request, Response& response) const;
    void live(Response& response);
    void trace(const Request& request, Response& response);
    // Answers with a stream, if there are not too many of them.
    void stream(Response& response, std::function<void(httplib::DataSink&)> work);
    void take_samples();

    const ServeOptions& options_;
    httplib::Server server_;
    History history_;
    std::atomic<std::size_t> streams_{0};
    std::mutex examining_; // it starts programs: one at a time
};

void refuse(Response& response, int status, const std::string& why) {
    response.status = status;
    response.set_content(dump(Json{{"error", why}}), json_type);
}

// Runs work that asks the daemon, and tells the page what went wrong.
void guarded(Response& response, const std::function<void()>& work) {
    try {
        work();
    } catch (const Refused& e) {
        refuse(response, http_status(e.code()), e.what());
    } catch (const Failure& e) {
        refuse(response, 502, e.what());
    }
}

void answer(Response& response, const std::vector<Json>& lines) {
    response.set_content(dump(Json{{"lines", lines}}), json_type);
}

bool send_event(httplib::DataSink& sink, const char* name, const Json& data) {
    const std::string text = std::string("event: ") + name + "\ndata: " + dump(data) + "\n\n";
    return sink.write(text.data(), text.size());
}

// Shows whether anybody still listens.
bool send_nothing(httplib::DataSink& sink) {
    return sink.write(":\n\n", 3);
}

bool Site::has_token(const Request& request) const {
    const std::string cookies = request.get_header_value("Cookie");
    const std::string authorization = request.get_header_value("Authorization");
    return same_secret(cookie(cookies, cookie_name), options_.token) ||
           same_secret(bearer(authorization), options_.token);
}

bool Site::admitted(const Request& request, Response& response) const {
    if (!host_is_allowed(request.get_header_value("Host"))) {
        refuse(response, 403, "open this page by an address or as localhost, not by a name");
        return false;
    }
    if (!options_.token.empty() && !has_token(request)) {
        // The printed link: from then on the browser has a cookie, and the token is not in its
        // history.
        if (request.path == "/" && same_secret(request.get_param_value("token"), options_.token)) {
            response.set_header("Set-Cookie", std::string(cookie_name) + "=" + options_.token +
                                                  "; HttpOnly; SameSite=Strict; Path=/");
            response.set_redirect("/");
            return false;
        }
        refuse(response, 401, "a token is needed: open the link that nfqws2ctl serve has printed");
        return false;
    }
    if (request.method == "GET" || request.method == "HEAD") return true;
    if (request.get_header_value("X-Nfqws2") != "1") {
        refuse(response, 403, "this request does not come from the page");
        return false;
    }
    return true;
}

void Site::hello(Response& response) const {
    guarded(response, [&] {
        Connection daemon(options_.socket());
        Json hello = daemon.ask_for_end({{"cmd", "hello"}});
        hello["readonly"] = options_.read_only;
        response.set_content(dump(hello), json_type);
    });
}

void Site::ask(const std::string& what, const Request& request, Response& response) const {
    const ApiRequest asked = api_request(what, request.params);
    if (!asked.error.empty()) return refuse(response, 400, asked.error);
    guarded(response, [&] { answer(response, Connection(options_.socket()).ask(asked.request)); });
}

void Site::reload(const Request&, Response& response) const {
    if (options_.read_only) return refuse(response, 403, "this page only reads");
    guarded(response, [&] {
        answer(response, Connection(options_.socket()).ask({{"cmd", "lists"}, {"reload", true}}));
    });
}

void Site::change_learned(const Request& request, Response& response) const {
    if (options_.read_only) return refuse(response, 403, "this page only reads");
    const ApiRequest asked = learn_change(request.body);
    if (!asked.error.empty()) return refuse(response, 400, asked.error);
    guarded(response, [&] { answer(response, Connection(options_.socket()).ask(asked.request)); });
}

void Site::doctor(Response& response) {
    const std::unique_lock alone(examining_, std::try_to_lock);
    if (!alone) return refuse(response, 503, "it is looking already");
    guarded(response, [&] {
        response.set_content(dump(Json{{"findings", options_.doctor()}}), json_type);
    });
}

void Site::blockcheck(Response& response) const {
    guarded(response,
            [&] { response.set_content(dump(last_blockcheck(options_.blockcheck)), json_type); });
}

void Site::metrics(Response& response) const {
    guarded(response, [&] {
        std::string text;
        for (const Json& line : Connection(options_.socket()).ask({{"cmd", "metrics"}}))
            text += text_of(member(line, "metrics"));
        response.set_content(text, "text/plain; version=0.0.4; charset=utf-8");
    });
}

void Site::ladder(const Request& request, Response& response) const {
    std::vector<TraceEvent> events;
    for (const std::string_view line : split(request.body, '\n'))
        if (auto event = parse_trace_line(line)) events.push_back(std::move(*event));
    const Words& language = words(request.get_param_value("lang"));
    const int width = request.get_param_value("width") == std::to_string(narrow) ? narrow : wide;
    Json pictures = Json::array();
    for (const Ladder& one : make_ladders(events, language).ladders)
        pictures.push_back(draw_inline(one, language, width));
    response.set_content(dump(Json{{"pictures", std::move(pictures)}}), json_type);
}

void Site::stream(Response& response, std::function<void(httplib::DataSink&)> work) {
    if (streams_.fetch_add(1) >= max_streams) {
        streams_--;
        return refuse(response, 503, "too many pages are open");
    }
    // Given back however the stream ends.
    auto place = std::shared_ptr<void>(nullptr, [this](void*) { streams_--; });
    response.set_header("Cache-Control", "no-store");
    response.set_chunked_content_provider(
        "text/event-stream", [place, work = std::move(work)](std::size_t, httplib::DataSink& sink) {
            work(sink);
            sink.done();
            return true;
        });
}

void Site::live(Response& response) {
    stream(response, [this](httplib::DataSink& sink) {
        std::uint64_t seen = history_.number();
        for (;;) {
            const auto sample = history_.next(seen, std::chrono::seconds(2));
            const bool heard = !sample             ? send_nothing(sink)
                               : sample->is_null() ? send_event(sink, "gone", Json::object())
                                                   : send_event(sink, "sample", *sample);
            if (!heard) return;
        }
    });
}

void Site::trace(const Request& request, Response& response) {
    const ApiRequest asked = api_request("trace", request.params);
    if (!asked.error.empty()) return refuse(response, 400, asked.error);
    stream(response, [this, wanted = asked.request](httplib::DataSink& sink) {
        try {
            Connection daemon(options_.socket());
            Json end = Json::object();
            daemon.ask(
                wanted,
                [&](const Json& line) {
                    if (member(line, "end") == true) end = line;
                    return line.contains("trace") ? send_event(sink, "trace", line["trace"]) : true;
                },
                [&] { return send_nothing(sink); });
            send_event(sink, "done", end);
        } catch (const Failure& e) {
            send_event(sink, "done", Json{{"error", e.what()}});
        }
    });
}

void Site::take_samples() {
    using clock = std::chrono::steady_clock;
    for (;;) {
        const auto begun = clock::now();
        std::optional<Json> sample;
        try {
            Connection daemon(options_.socket());
            const auto counters = daemon.ask({{"cmd", "counters"}});
            const auto status = daemon.ask({{"cmd", "status"}});
            const double at =
                std::chrono::duration<double>(clock::now().time_since_epoch()).count();
            sample = make_sample(counters, status, at);
        } catch (const Failure&) {
            // The pages are told that it is gone, and it may come back.
        }
        history_.add(std::move(sample));
        // Lines need some points: the first ones come faster.
        const double pause =
            history_.number() < 5 ? std::min(options_.interval, 1.0) : options_.interval;
        std::this_thread::sleep_until(begun + std::chrono::duration<double>(pause));
    }
}

void Site::routes() {
    server_.set_default_headers({{"Content-Security-Policy", content_policy},
                                 {"X-Content-Type-Options", "nosniff"},
                                 {"Referrer-Policy", "no-referrer"},
                                 {"Cross-Origin-Resource-Policy", "same-origin"}});
    server_.set_pre_routing_handler([this](const Request& request, Response& response) {
        return admitted(request, response) ? httplib::Server::HandlerResponse::Unhandled
                                           : httplib::Server::HandlerResponse::Handled;
    });
    for (std::size_t i = 0; i < page_file_count; i++) {
        const PageFile& file = page_files[i];
        const auto send = [&file](const Request&, Response& response) {
            response.set_header("Cache-Control", "no-cache");
            response.set_content(file.text, file.type);
        };
        server_.Get(file.path, send);
        if (std::string_view(file.path) == "/index.html") server_.Get("/", send);
        if (std::string_view(file.path) == "/icon.svg") server_.Get("/favicon.ico", send);
    }
    server_.Get("/ladder.css", [](const Request&, Response& response) {
        response.set_content(ladder_style, "text/css; charset=utf-8");
    });
    server_.Get("/metrics", [this](const Request&, Response& response) { metrics(response); });
    server_.Get("/api/hello", [this](const Request&, Response& response) { hello(response); });
    server_.Get("/api/history", [this](const Request&, Response& response) {
        response.set_content(dump(Json{{"samples", history_.all()}}), json_type);
    });
    server_.Get("/api/blockcheck",
                [this](const Request&, Response& response) { blockcheck(response); });
    server_.Get("/api/live", [this](const Request&, Response& response) { live(response); });
    server_.Get("/api/trace", [this](const Request& q, Response& response) { trace(q, response); });
    for (const char* what : {"status", "counters", "flows", "hosts", "learn", "lists", "find"})
        server_.Get(std::string("/api/") + what,
                    [this, what](const Request& q, Response& response) { ask(what, q, response); });
    server_.Post("/api/lists/reload", [this](const Request& q, Response& r) { reload(q, r); });
    server_.Post("/api/learn/change",
                 [this](const Request& q, Response& r) { change_learned(q, r); });
    server_.Post("/api/doctor", [this](const Request&, Response& response) { doctor(response); });
    server_.Post("/api/ladder", [this](const Request& q, Response& r) { ladder(q, r); });
}

void Site::run(const std::function<void(const Listen&)>& ready) {
    std::signal(SIGPIPE, SIG_IGN); // pages are closed while they are written to
    server_.new_task_queue = [] {
        return std::make_unique<httplib::ThreadPool>(threads).release();
    };
    server_.set_payload_max_length(max_body + 65536);
    routes();
    Listen at = options_.listen;
    if (at.port == 0)
        at.port = server_.bind_to_any_port(at.host);
    else if (!server_.bind_to_port(at.host, at.port))
        at.port = -1;
    if (at.port <= 0) throw Failure("cannot listen at " + options_.listen.text());
    ready(at);
    std::thread([this] {
        take_samples();
    }).detach(); // ends with the process, as everything here does
    server_.listen_after_bind();
}

} // namespace

void serve(const ServeOptions& options, const std::function<void(const Listen&)>& ready) {
    Site(options).run(ready);
}

} // namespace nfqws2::ctl
