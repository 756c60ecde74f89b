// "lua": code that runs in the states of the workers, for root only.
#include "commands.hpp"

#include "run/worker.hpp"
#include "run/workers.hpp"

namespace nfqws2::app {

using control::Answer;

std::string run_code(Workers& workers, const std::string& name, const std::string& code, bool all) {
    for (std::size_t i = 1; all && i < workers.size(); i++) {
        workers[i].errands.add(
            [name, code](Worker& worker) { worker.engine.run_lua_code(name, code); });
        workers[i].bell.ring();
    }
    return workers[0].engine.run_lua_code(name, code);
}

control::Command lua_command(const Subject& subject) {
    return {"lua",
            control::Access::root,
            {{"name", control::Kind::text},
             {"code", control::Kind::text},
             {"all", control::Kind::flag}},
            [&subject](const control::Request& request,
                       control::Refusal* refusal) -> std::unique_ptr<Answer> {
                const std::string* const name = request.text("name");
                const std::string* const code = request.text("code");
                if (code == nullptr) {
                    *refusal = {"bad-field", "'code' is missing"};
                    return nullptr;
                }
                const std::string error =
                    run_code(subject.workers, name != nullptr ? *name : "control", *code,
                             request.flag("all"));
                if (error.empty()) return std::make_unique<control::ReadyAnswer>(end_line(0));
                *refusal = {"failed", error};
                return nullptr;
            }};
}

} // namespace nfqws2::app
