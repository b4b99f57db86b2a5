namespace Weft.Lab;

/// <summary>What the lab prints: steps with the time since the start, tables, colours only on a terminal. Lines of parallel steps never mix.</summary>
internal sealed class LabConsole(TextWriter output, bool colour, TimeProvider time)
{
    private readonly Lock _gate = new(); // Guards the writer.
    private readonly long _start = time.GetTimestamp();

    public TimeSpan Elapsed => time.GetElapsedTime(_start);

    public void Title(string text) => Write($"\n{Paint(text, "1")}\n");

    public void Text(string text) => Write(text);

    /// <summary>"  1.23 s  subject     what happened".</summary>
    public void Step(string subject, string what) => Write($"{Elapsed.TotalSeconds,7:0.00} s  {subject,-12} {what}\n");

    public void Good(string subject, string what) => Step(subject, Paint(what, "32"));

    public void Bad(string subject, string what) => Step(subject, Paint(what, "31"));

    public string Green(string text) => Paint(text, "32");

    public string Red(string text) => Paint(text, "31");

    public string Dim(string text) => Paint(text, "2");

    private string Paint(string text, string code) => colour ? $"\u001b[{code}m{text}\u001b[0m" : text;

    private void Write(string text)
    {
        lock (_gate)
        {
            output.Write(text);
            output.Flush();
        }
    }
}
