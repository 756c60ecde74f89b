// nfqws2ctl: looks into running daemons and steers them. What it can do is in commands/.
#pragma once

namespace nfqws2::ctl {

int program(int argc, char** argv);

} // namespace nfqws2::ctl
