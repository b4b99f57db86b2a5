using Weft.Model.Keys;

namespace Weft.Policy.Tests;

/// <summary>
/// Runs a state in every way it may arrive (in order, reversed, shuffled, with duplicates, one flush per update or one for all, in-sync early or late,
/// preceded by everything being there and gone again) and demands the same result each time.
/// </summary>
internal static class States
{
    public static Replay Run(params ModelUpdate[] updates)
    {
        Replay expected = Play(updates, Flushing.Once);
        string text = expected.Dump();
        ModelUpdate[] reversed = [.. updates.Reverse()];
        Check(text, reversed, Flushing.Once, "reversed");
        Check(text, reversed, Flushing.PerUpdate, "reversed, flushed each");
        Check(text, updates, Flushing.PerUpdate, "flushed each");
        Check(text, [.. updates, .. updates], Flushing.PerUpdate, "duplicated");
        Check(text, [.. updates.SelectMany(u => new[] { u, u })], Flushing.Once, "doubled");
        Check(text, [.. updates, .. reversed.Select(Build.Gone), .. updates], Flushing.PerUpdate, "there, gone, there");
        Check(text, [.. updates, .. updates.Select(Build.Gone), .. reversed], Flushing.AtEnds, "there, gone, there, squashed");
        for (int seed = 0; seed < 10; seed++)
        {
            ModelUpdate[] shuffled = [.. updates];
            new Random(seed).Shuffle(shuffled);
            Check(text, shuffled, seed % 2 == 0 ? Flushing.Once : Flushing.PerUpdate, $"shuffled with seed {seed}");
        }

        Replay empty = Play([.. updates, .. updates.Select(Build.Gone)], Flushing.PerUpdate);
        Assert.Equal(string.Empty, empty.Dump());
        return expected;
    }

    public static Replay Play(IReadOnlyList<ModelUpdate> updates, Flushing flushing)
    {
        PolicyGraph graph = new(Build.ThisNode);
        Replay replay = new();
        if (flushing == Flushing.PerUpdate)
        {
            graph.OnInSync();
        }

        for (int i = 0; i < updates.Count; i++)
        {
            graph.OnUpdate(updates[i]);
            if (flushing == Flushing.PerUpdate || (flushing == Flushing.AtEnds && i == updates.Count / 3))
            {
                graph.OnInSync();
                graph.Flush(replay);
            }
        }

        graph.OnInSync();
        graph.Flush(replay);
        Assert.Equal(1, replay.InSyncs);

        int sent = replay.Count;
        graph.Flush(replay);
        Assert.Equal(sent, replay.Count);
        return replay;
    }

    private static void Check(string expected, ModelUpdate[] updates, Flushing flushing, string how)
    {
        string actual = Play(updates, flushing).Dump();
        Assert.True(expected == actual, $"{how}:\n{actual}\nexpected:\n{expected}");
    }
}

internal enum Flushing
{
    Once,
    PerUpdate,
    AtEnds,
}
