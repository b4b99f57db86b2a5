using System.Globalization;
using Weft.Fuzz.Targets;

namespace Weft.Fuzz;

/// <summary>
/// Every decoder on input nobody meant. Within "build.sh test" each target runs for a moment; "build.sh fuzz SECONDS" sets WEFT_FUZZ_SECONDS and lets them take turns
/// for that long. What fails is written to tests/vectors/bgp/crashes and replayed here ever after.
/// </summary>
public sealed class FuzzTests
{
    private static readonly TimeSpan s_turn = TimeSpan.FromSeconds(2);

    static FuzzTests() => BranchMap.Attach();

    private static FuzzTarget[] Targets() =>
    [
        new FramerTarget(), new OpenTarget(), new UpdateTarget(), new RibTarget(), new SmallMessageTarget(), new SettingsTarget(), new ControlTarget(),
        new DatastoreTarget(), new SelectorTarget(), new AsPathPatternTarget(), new FilterRuleTarget(), new RpkiTarget(),
    ];

    public static TheoryData<string, string> Crashes() => [.. CrashVectors.All().Select(static v => (v.Target, v.File))];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Crashes))]
    public void InputThatOnceBrokeADecoder_DoesNotAnyMore(string name, string file)
    {
        byte[] input = CrashVectors.Of(name).Single(v => v.File == file).Input;
        FuzzTarget target = Targets().Single(t => t.Name == name);

        target.Run(input);
    }

    [Fact]
    public void EveryDecoder_SurvivesWhatNobodyMeant_AndAcceptsOnlyWhatIsValid()
    {
        string? asked = Environment.GetEnvironmentVariable("WEFT_FUZZ_SECONDS");
        TimeSpan time = TimeSpan.FromSeconds(asked is null ? 5 : int.Parse(asked, CultureInfo.InvariantCulture));
        int seed = Environment.GetEnvironmentVariable("WEFT_FUZZ_SEED") is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : asked is null ? 1 : Environment.TickCount;
        FuzzTarget[] targets = Targets();
        Campaign[] campaigns = [.. targets.Select((t, i) => new Campaign(t, seed + i))];
        TimeSpan turn = time / targets.Length < s_turn ? time / targets.Length : s_turn;

        for (TimeSpan spent = TimeSpan.Zero; spent < time; spent += turn * targets.Length)
        {
            foreach (Campaign campaign in campaigns)
            {
                campaign.Run(turn);
            }
        }

        List<string> failures = [];
        for (int i = 0; i < targets.Length; i++)
        {
            Console.WriteLine($"fuzz {targets[i].Name}: {campaigns[i].Runs} inputs, {campaigns[i].CorpusSize} kept, {campaigns[i].Branches} branches, {campaigns[i].Failures.Count} failures (seed {seed + i})");
            foreach ((string place, (byte[] input, Exception failure)) in campaigns[i].Failures)
            {
                string file = CrashVectors.Write(targets[i].Name, input);
                failures.Add($"{targets[i].Name}: {place}\n  {file}\n{failure}");
            }
        }

        Assert.True(failures.Count == 0, string.Join("\n\n", failures));
    }
}
