#pragma once
#include <string>
#include <vector>

#include "runner/doctor.h"

namespace progtc::cli {

// progtc doctor: prints one line a probe, then one complete strict run. Returns 0 when that run went well, else 1.
int doctor(bool is_json);

// "ok      name: detail", with the advice below.
std::string doctor_text(const std::vector<runner::Probe>& probes);
std::string doctor_json(const std::vector<runner::Probe>& probes, bool can_run);

}  // namespace progtc::cli
