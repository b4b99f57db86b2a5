namespace Weft.Policy.Output;

/// <summary>Takes what a flush of the graph yields, in order. The first flush after in-sync ends with <see cref="InSync"/>.</summary>
public interface IDataplaneSink
{
    void Emit(DataplaneUpdate update);
}
