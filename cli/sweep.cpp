// bitgrad sweep
#include <CLI/App.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>

#include <bitgrad/cli/child_processes.hpp>
#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/interruption.hpp>
#include <bitgrad/cli/metrics.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/sweep_grid.hpp>
#include <bitgrad/cli/sweep_schedule.hpp>
#include <bitgrad/cli/sweep_table.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Every combination of the values becomes a run, a process of its own: bitgrad train --config FILE with these
values, into OUT/NAME. Its output goes to OUT/NAME.log. Options that go together are joined by +, as in
weights+activations=lsq:8+lsq:8,lsq:2+lsq:4. Values that contain commas are a JSON list: gradual=["8,4,2","4,2"]. Runs
that differ only in their quantizers train their float model once: the others take it over from the first of them.
Ctrl-C and SIGTERM stop all runs after their step. The same command again goes on where it was stopped, repeats what
failed, and first waits for runs that have outlived a sweep (kill -9); the grid may have more values than before, of
the same options in the same order.
OUT/table.csv has a row per finished run, OUT/table.md one per combination, over its seeds.

Examples:
    bitgrad sweep --config base.json --grid weights+activations=lsq:8+lsq:8,lsq:2+lsq:4 \
        --grid seed=1,2,3 --out runs/bits
    bitgrad sweep --config base.json --grid 'augment=["none","flip,shift:2"]' --out runs/augment
    bitgrad sweep --config runs/float/run.json --grid lr=0.001,0.002,0.004 --jobs 2 --out runs/lr)";

struct SweepCommand {
  std::string config, out;
  std::vector<std::string> grid;
  int jobs = 1;
  int threads = 0;

  void run() const;

 private:
  RunDirectory directory(const GridPoint& point) const { return {io::Path(out) / name_of(point)}; }
  io::Path log(const GridPoint& point) const { return io::Path(out) / (name_of(point) + ".log"); }
  std::vector<std::string> options_of(const GridPoint& point) const;
  void check_runs(const std::vector<GridPoint>& points) const;
  std::vector<GridPoint> run_all(const std::vector<GridPoint>& points) const;
  void take_over(const GridPoint& from, const GridPoint& to) const;
  void write_tables(const std::vector<GridPoint>& points, const std::vector<GridPoint>& failed) const;
};

std::vector<std::string> SweepCommand::options_of(const GridPoint& point) const {
  std::vector<std::string> options{
      "--config",  config,
      "--out",     directory(point).path.string(),
      "--threads", std::to_string(threads > 0 ? threads : std::max(1, num_threads() / jobs))};
  if (directory(point).holds_run()) options.emplace_back("--resume");
  for (const Setting& setting : point) options.push_back(message("--", setting.option, '=', setting.value));
  return options;
}

/// A run that an earlier sweep has left in OUT: there is its log as well.
bool is_run_of_sweep(const io::Path& path) {
  std::error_code unreadable;  // lost+found, say
  return std::filesystem::is_directory(path, unreadable) &&
         std::filesystem::exists(path.string() + ".log", unreadable) && RunDirectory{path}.holds_run();
}

/// Before anything starts: no run may be refused for its options hours later, and none of an older grid be left out of
/// the tables.
void SweepCommand::check_runs(const std::vector<GridPoint>& points) const {
  std::set<io::Path> expected;
  for (const GridPoint& point : points) {
    expected.insert(directory(point).path);
    try {
      check_train_options(options_of(point));
    } catch (const UsageError& error) {
      fail<UsageError>(name_of(point), ": ", error.what());
    } catch (const IoError& error) {
      fail<IoError>(name_of(point), ": ", error.what());
    }
  }
  if (!std::filesystem::is_directory(out)) return;
  for (const auto& entry : std::filesystem::directory_iterator(out))
    if (is_run_of_sweep(entry.path()) && !expected.contains(io::Path(out) / entry.path().filename()))
      fail<UsageError>("--out ", out, ": holds ", entry.path().filename().string(),
                       ", a run that is not of this grid and would be left out of the tables; expected a grid that ",
                       "has it too, or another directory");
}

/// Gives a run that has not begun the float model of another, as if it had trained it itself; it goes on from there.
void SweepCommand::take_over(const GridPoint& from, const GridPoint& to) const {
  const RunDirectory source = directory(from), target = directory(to);
  const bool trained =
      std::filesystem::exists(source.quantized_checkpoint()) || std::filesystem::exists(source.report());
  if (!trained || std::filesystem::exists(target.float_checkpoint())) return;
  target.create();
  const auto copy = [](const io::Path& original, const io::Path& path) {
    if (std::filesystem::exists(original)) io::write_file_atomically(path, io::read_file(original));
  };
  if (std::filesystem::exists(source.metrics())) {
    std::vector<EpochMetrics> rows = MetricsFile(source.metrics()).rows();
    std::erase_if(rows, [](const EpochMetrics& row) { return row.stage != "float"; });
    io::write_file_atomically(target.metrics(), std::string_view(format_metrics(rows)));
  }
  copy(source.best_float_checkpoint(), target.best_float_checkpoint());
  copy(source.float_checkpoint(), target.float_checkpoint());  // last: with it the run has begun
}

/// The runs that failed; those that a signal stopped do not count, see Interruption::requested().
std::vector<GridPoint> SweepCommand::run_all(const std::vector<GridPoint>& points) const {
  SweepSchedule schedule(points);
  ChildProcesses running;
  std::vector<GridPoint> failed;
  const auto start_next = [&] {
    const std::optional<SweepSchedule::Next> next = schedule.next();
    if (!next || !wait_for_directory(directory(next->point).path)) return false;
    if (next->leader) take_over(*next->leader, next->point);
    std::vector<std::string> arguments{"bitgrad", "train"};
    std::ranges::copy(options_of(next->point), std::back_inserter(arguments));
    running.start(next->point, arguments, log(next->point));
    return true;
  };
  while (true) {
    while (static_cast<int>(running.size()) < jobs && !Interruption::requested())
      if (!start_next()) break;
    if (running.size() == 0) break;
    if (Interruption::requested()) running.stop();
    const std::optional<ChildProcesses::Ended> ended = running.ended();
    if (!ended) continue;
    const std::string text = outcome(ended->status, log(ended->point));
    std::cout << name_of(ended->point) << ": " << text << std::endl;
    if (text != "done" && !Interruption::requested()) failed.push_back(ended->point);
    schedule.done(ended->point);
  }
  return failed;
}

/// Of the runs that have a report, but for those that have just failed before they wrote one: theirs would be an older
/// one. What fails behind it is the comparison of codes.
void SweepCommand::write_tables(const std::vector<GridPoint>& points, const std::vector<GridPoint>& failed) const {
  std::vector<SweepResult> results;
  for (const GridPoint& point : points) {
    const RunDirectory run = directory(point);
    if (!std::filesystem::exists(run.report())) continue;
    const Report report = read_report(run);
    if (report.differing_codes > 0 || std::ranges::find(failed, point) == failed.end())
      results.push_back({point, report});
  }
  std::cout << results.size() << " of " << points.size() << " runs";
  const io::Path csv = io::Path(out) / "table.csv", page = io::Path(out) / "table.md";
  if (results.empty()) {
    for (const io::Path& table : {csv, page}) std::filesystem::remove(table);
  } else {
    const std::string markdown = sweep_markdown(results);
    io::write_file_atomically(csv, std::string_view(sweep_csv(results)));
    io::write_file_atomically(page, std::string_view(markdown));
    std::cout << "; " << csv.string() << "\n\n" << markdown;
  }
  std::cout << std::endl;
}

void SweepCommand::run() const {
  if (jobs < 1 || jobs > 256) fail<UsageError>("--jobs ", jobs, ": expected 1 to 256");
  check_threads(threads);
  check_configuration(config);  // unknown keys and values of another kind: said here, once
  const std::vector<GridPoint> points = parse_grid(grid);
  check_runs(points);
  RunDirectory{out}.create();
  const Interruption interruption;
  const std::vector<GridPoint> failed = run_all(points);
  write_tables(points, failed);
  if (Interruption::requested()) fail<Interrupted>("stopped; the same command goes on from there");
  if (!failed.empty())
    fail<Error>("sweep: ", failed.size(), " of ", points.size(), " runs failed; their logs are in ", out);
}

}  // namespace

void add_sweep_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("sweep", "Run a grid of trainings into one table");
  command->footer(help);
  const auto options = std::make_shared<SweepCommand>();
  command->add_option("--config", options->config, "Options that all runs share, as train --config takes them")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--grid", options->grid,
                   "An option of train and its values, joined by commas, or a JSON list; may be repeated")
      ->type_name("OPTION=VALUES")
      ->required();
  command->add_option("--out", options->out, "Directory for the runs and the tables")->type_name("DIR")->required();
  command->add_option("--jobs", options->jobs, "Runs at a time")->type_name("N")->capture_default_str();
  command->add_option("--threads", options->threads, "Threads of each; 0: processors by jobs")
      ->type_name("T")
      ->capture_default_str();
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
