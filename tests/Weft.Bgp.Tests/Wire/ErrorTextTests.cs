using System.Text;
using Weft.Bgp.Wire;

namespace Weft.Bgp.Tests.Wire;

/// <summary>NOTIFICATIONs in words.</summary>
public sealed class ErrorTextTests
{
    [Theory]
    [InlineData(6, 1, "00010100000064", "Cease (6/1) Maximum Number of Prefixes Reached: 100 of AFI 1 SAFI 1")]
    [InlineData(6, 2, "", "Cease (6/2) Administrative Shutdown")]
    [InlineData(6, 3, "", "Cease (6/3) Peer De-configured")]
    [InlineData(6, 4, "", "Cease (6/4) Administrative Reset")]
    [InlineData(6, 5, "", "Cease (6/5) Connection Rejected")]
    [InlineData(6, 6, "", "Cease (6/6) Other Configuration Change")]
    [InlineData(6, 7, "", "Cease (6/7) Connection Collision Resolution")]
    [InlineData(6, 8, "", "Cease (6/8) Out of Resources")]
    [InlineData(6, 9, "0602046E6F6F6E", "Cease (6/9) Hard Reset: Cease (6/2) Administrative Shutdown: \"noon\"")]
    [InlineData(6, 9, "", "Cease (6/9) Hard Reset")]
    [InlineData(6, 10, "", "Cease (6/10) BFD Down")]
    [InlineData(2, 11, "", "OPEN Message Error (2/11) Role Mismatch")]
    [InlineData(7, 1, "", "ROUTE-REFRESH Message Error (7/1) Invalid Message Length")]
    [InlineData(8, 0, "", "Send Hold Timer Expired (8/0)")]
    [InlineData(6, 2, "05", "Cease (6/2) Administrative Shutdown: 05")]
    [InlineData(6, 2, "00", "Cease (6/2) Administrative Shutdown: 00")]
    [InlineData(6, 2, "02C328", "Cease (6/2) Administrative Shutdown: \"\uFFFD(\"")]
    [InlineData(6, 4, "051B5B324A21", "Cease (6/4) Administrative Reset: \"\uFFFD[2J!\"")]
    [InlineData(6, 2, "04E280AE41", "Cease (6/2) Administrative Shutdown: \"\uFFFDA\"")]
    public void Notification_IsNamed_AndItsDataRead(byte code, byte subcode, string data, string text) =>
        Assert.Equal(text, new BgpError((ErrorCode)code, subcode, Convert.FromHexString(data)).ToString());

    [Fact]
    public void HardResetWithinHardReset_EndsInText()
    {
        byte[] data = [.. Enumerable.Repeat(new byte[] { 6, 9 }, 2000).SelectMany(static b => b)];

        string text = new BgpError(ErrorCode.Cease, Subcode.HardReset, data).ToString();

        Assert.True(text.Length < 300, text);
    }

    [Fact]
    public void ShutdownCommunication_HasUpTo255Octets_CutAtACharacter()
    {
        string exact = new('x', 255);
        string wide = new string('x', 254) + "\u00e9";

        Assert.Equal(256, ErrorText.ShutdownCommunication(exact).Length);
        byte[] cut = ErrorText.ShutdownCommunication(wide);

        Assert.Equal(254, cut[0]);
        Assert.Equal(new string('x', 254), Encoding.UTF8.GetString(cut.AsSpan(1)));
        Assert.Contains(exact, new BgpError(ErrorCode.Cease, 2, ErrorText.ShutdownCommunication(exact)).ToString());
    }
}
