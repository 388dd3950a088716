# A module that stands between two clauses of a function of another one, and is not loaded: the tests name these lines.

defmodule ShopWeb.Shelf do
  def put(:tea) do
    Integer.to_string(1) <> "tea"
  end

  defmodule Label do
    def print(count) do
      text = {:label, count}
      {text, Integer.to_string(count)}
    end
  end

  def put(other) do
    label = {:label, other}
    {label, Integer.to_string(other)}
  end
end
