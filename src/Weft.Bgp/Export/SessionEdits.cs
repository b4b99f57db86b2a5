using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Wire;

namespace Weft.Bgp.Export;

/// <summary>
/// What the state of a session adds to a route behind all policy: nothing, nearly always. Used by one flush at a time; its rooms are made when first needed.
/// </summary>
internal sealed class SessionEdits
{
    private byte[]? _first;
    private byte[]? _second;

    /// <summary>The block itself, or one in a room of this object, good until the next call.</summary>
    /// <param name="marks">Of the route as it is in the table.</param>
    public ReadOnlySpan<byte> Apply(ExportProfile profile, AttributeMarks marks, ReadOnlySpan<byte> block)
    {
        // RFC 9494 4.6: whoever does not know of long-lived routes uses them last, and keeps them to itself.
        bool unaware = (marks & AttributeMarks.LongLivedStale) != 0 && !profile.KnowsLongLived;
        if (!profile.GracefulShutdown && !unaware)
        {
            return block;
        }

        Span<byte> first = _first ??= GC.AllocateUninitializedArray<byte>(PolicyScratch.Bytes);
        Span<byte> second = _second ??= GC.AllocateUninitializedArray<byte>(PolicyScratch.Bytes);
        if (profile.GracefulShutdown)
        {
            block = Edit(RouteEdit.AddCommunity(WellKnownCommunities.GracefulShutdown), block, ref first, ref second);
        }

        if (unaware)
        {
            block = Edit(RouteEdit.AddCommunity(WellKnownCommunities.NoExport), block, ref first, ref second);
        }

        return profile.IsInterior ? Edit(RouteEdit.SetLocalPreference(0), block, ref first, ref second) : block;
    }

    private static ReadOnlySpan<byte> Edit(scoped in RouteEdit edit, scoped ReadOnlySpan<byte> block, scoped ref Span<byte> room, scoped ref Span<byte> other)
    {
        ReadOnlySpan<byte> edited = room[..AttributeRewriter.Apply(in edit, default, block, room)];
        Span<byte> swap = room;
        room = other;
        other = swap;
        return edited;
    }
}
