"""Small pilots in the way that notebooks are written: rows of rows.csv, steps before and after the split, a model.

Each is a list of cells, after IMPORTS. `left` is the target.
"""

IMPORTS = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, LinearRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler
"""
FIT = """
model = LogisticRegression(max_iter=500)
model.fit(X_train, y_train)
print(accuracy_score(y_test, model.predict(X_test)))
"""
SPLIT = "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=3)"

READ = "df = pd.read_csv('rows.csv')"
INPUTS = "X = df[['age', 'income']]\ny = df['left']"
PILOTS = {
    "a mean of all rows": [READ, "df['age'] = df['age'].fillna(df['age'].mean())", INPUTS, SPLIT, FIT],
    "a scaler after the split": [
        READ,
        "df = df.fillna(0)",
        INPUTS,
        SPLIT,
        "s = StandardScaler()\nX_train = s.fit_transform(X_train)\nX_test = s.transform(X_test)",
        FIT,
    ],
    "a scaler before the split": [
        READ,
        "df = df.fillna(0)",
        INPUTS,
        "X = StandardScaler().fit_transform(X)",
        SPLIT,
        FIT,
    ],
    "dummies of the whole table": [
        READ,
        "df = df.fillna(0)\ny = df.pop('left')\nX = pd.get_dummies(df, drop_first=True)",
        SPLIT,
        FIT,
    ],
    "one encoder for many columns": [
        READ,
        "df = df.fillna(0)\nle = LabelEncoder()\nfor column in ['city', 'plan']:\n"
        "    df[column] = le.fit_transform(df[column])",
        "X = df[['age', 'income', 'city', 'plan']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "map and replace": [
        READ,
        "df['city'] = df['city'].map({'Rome': 0, 'Oslo': 1, 'Bonn': 2})\n"
        "df['plan'] = df['plan'].replace({'basic': 0, 'plus': 1, 'pro': 2}).astype(int)",
        "df = df.fillna(df.median(numeric_only=True))\nX = df.drop(columns='left')\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "rows left out": [
        READ,
        "df = df.dropna()\ndf = df[df['income'] > 20000]\ndf = df.drop_duplicates()",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "rows left out, and an array of the rest": [
        READ,
        "df['seen'] = df['income'].astype(str).where(df['age'].notna(), 'no')\n"
        "df = df.drop(columns=['city', 'plan'])\ny = df.pop('left')\ndf['left'] = y\ndf = df[df['seen'] != 'no']",
        "df['seen'] = df['seen'].astype('float64')\ndf = df[df['income'] > 20000]",
        "X = df.iloc[:, :-1].values\ny = df.iloc[:, -1].values",
        SPLIT,
        FIT,
    ],
    "rows left out, and an array of chosen columns of the rest": [
        READ,
        "df['seen'] = df['income'].astype(str).where(df['age'].notna(), 'no')\n"
        "df = df[['age', 'income', 'seen', 'left']]\ndf = df[df['seen'] != 'no']",
        "df['seen'] = df['seen'].astype('float64')\ndf = df[df['income'] > 20000]",
        "X = df.iloc[:, :-1].values\ny = df.iloc[:, -1].values",
        SPLIT,
        FIT,
    ],
    "parts of a text that is not always there": [
        READ,
        "df['seat'] = (df['city'] + '/' + df['plan']).where(df['age'].notna())\n"
        "df[['where', 'what']] = df['seat'].str.split('/', expand=True)",
        "df['where'] = df['where'].fillna('nowhere')\n"
        "X = pd.get_dummies(df[['income', 'where']], columns=['where'])\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "bins of a number": [
        READ,
        "df = df.fillna(40)\ndf['band'] = pd.cut(df['age'], 4, labels=False)\n"
        "df['rich'] = pd.qcut(df['income'], 3, labels=False)",
        "X = df[['band', 'rich']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "ranges, and one for no number": [
        READ,
        "df['band'] = pd.qcut(df['age'], 4)\ndf['band'] = df['band'].cat.add_categories('unknown').fillna('unknown')",
        "X = pd.get_dummies(df[['income', 'band']].fillna(0))\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "factorize and categories": [
        READ,
        "df = df.fillna(0)\ndf['city'] = pd.factorize(df['city'])[0]\n"
        "df['plan'] = df['plan'].astype('category').cat.codes",
        "X = df[['age', 'city', 'plan']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a table by group": [
        READ,
        "df = df.fillna(0)\nby_city = df.groupby('city')['income'].mean()\ndf['typical'] = df['city'].map(by_city)",
        "X = df[['age', 'typical']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a function of the author": [
        READ,
        "def clean(frame, fill):\n    frame = frame.copy()\n"
        "    frame['age'] = frame['age'].fillna(fill)\n    return frame",
        "df = clean(df, df['age'].median())",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "a pipeline": [
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.impute import SimpleImputer",
        READ,
        INPUTS,
        SPLIT,
        "model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())\n"
        "model.fit(X_train, y_train)\nmodel.score(X_test, y_test)",
    ],
    "arrays by position": [
        READ,
        "df = df.fillna(0)\nX = df.iloc[:, 0:2].values\ny = df.iloc[:, -1].values",
        SPLIT,
        FIT,
    ],
    "columns in place": [
        READ,
        "df.drop(['city', 'plan'], axis=1, inplace=True)\ndf.dropna(inplace=True)",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "rows dropped by labels, of which there are none": [
        READ,
        "df = df.fillna(0)\ndf = df.drop(df[df['income'] < 0].index)\ndf.drop(df[df['age'] > 200].index, inplace=True)",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "rows sorted in place": [
        READ,
        "df = df.fillna(0)\ndf.sort_values('income', inplace=True)",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "a hole filled by its group": [
        READ,
        "df['age'] = df['age'].fillna(df.groupby(['city', 'plan'])['age'].transform('median'))",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "quantiles with the smallest value, and a count by position": [
        READ,
        "df = df.fillna(40)\ndf['rich'] = pd.qcut(df['income'], 4, labels=[1, 2, 3, 4]).astype(int)",
        "X = df[['age', 'rich']]\ny = df['left']",
        "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.9, random_state=3)",
        FIT,
    ],
    "a function that reads a table beside it": [
        READ,
        "typical = df.groupby('city')['age'].median()\nsteps = ['Rome', 'Oslo', 'Bonn']",
        "def age_of(row):\n    return typical[row['city']] if pd.isnull(row['age']) else row['age']",
        "df['age'] = df.apply(age_of, axis=1)\ndf['city'] = df['city'].apply(lambda name: steps.index(name))",
        "X = df[['age', 'city']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a class of the author": [
        "from sklearn.base import BaseEstimator, TransformerMixin",
        "class Fill(BaseEstimator, TransformerMixin):\n    def fit(self, X, y=None):\n"
        "        self.typical_ = X.groupby('city')['age'].mean()\n        return self\n"
        "    def transform(self, X):\n        X = X.copy()\n"
        "        X['age'] = X['age'].fillna(X['city'].map(self.typical_))\n        return X[['age', 'income']]",
        READ,
        "X = df.drop(columns='left')\ny = df['left']",
        SPLIT,
        "fill = Fill()\nX_train = fill.fit_transform(X_train)\nX_test = fill.transform(X_test)",
        FIT,
    ],
    "holes filled by a function of each group": [
        READ,
        "df['age'] = df.groupby('city')['age'].transform(lambda rows: rows.fillna(rows.median()))",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "a loop over a number of rows": [
        READ,
        "texts = []\nfor i in range(0, 240):\n    texts.append(len(df['city'][i] + df['plan'][i]))",
        "X = pd.DataFrame({'long': texts, 'income': df['income']})\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "folds": [
        "from sklearn.model_selection import KFold",
        READ,
        "df = df.fillna(0)\nX = df[['age', 'income']].values\ny = df['left'].values\nscores = []",
        "for train, test in KFold(n_splits=3, shuffle=True, random_state=1).split(X):\n"
        "    X_train, X_test, y_train, y_test = X[train], X[test], y[train], y[test]\n"
        "    model = LogisticRegression(max_iter=500).fit(X_train, y_train)\n"
        "    scores.append(accuracy_score(y_test, model.predict(X_test)))",
    ],
    "one encoder applied to each column": [
        READ,
        "df = df.fillna(0)\ndf[['city', 'plan']] = df[['city', 'plan']].apply(LabelEncoder().fit_transform)",
        "X = df[['age', 'city', 'plan']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a function that learns from what it is given": [
        READ,
        "def clean(rows):\n    rows = rows.copy()\n    rows['age'] = rows['age'].fillna(rows['age'].mean())\n"
        "    rows['city'] = LabelEncoder().fit_transform(rows['city'])\n    return rows[['age', 'city']]",
        "X = df.drop(columns='left')\ny = df['left']",
        SPLIT,
        "X_train = clean(X_train)\nX_test = clean(X_test)",
        FIT,
    ],
    "a function that changes a global": [
        READ,
        "def fill():\n    global df\n    df['age'] = df['age'].fillna(df['age'].median())",
        "fill()",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "all in one function": [
        "from sklearn.metrics import *",
        "def main():\n    df = pd.read_csv('rows.csv')\n    df = df.fillna(df.mean(numeric_only=True))\n"
        "    X_train, X_test, y_train, y_test = train_test_split(df[['age', 'income']], df['left'], random_state=0)\n"
        "    scaler = StandardScaler()\n    X_train = scaler.fit_transform(X_train)\n"
        "    model = LogisticRegression().fit(X_train, y_train)\n"
        "    print(balanced_accuracy_score(y_test, model.predict(scaler.transform(X_test))))\n    return model",
        "model = main()",
    ],
    "a class that holds rows and model": [
        READ,
        "class Leaving:\n    def __init__(self, rows):\n        self.rows = rows.fillna(0)\n"
        "        self.scaler, self.model = StandardScaler(), LogisticRegression()\n"
        "    def prepare(self):\n        X, y = self.rows[['age', 'income']], self.rows['left']\n"
        "        self.X, self.X_test, self.y, self.y_test = train_test_split(X, y, random_state=1)\n"
        "        self.X = self.scaler.fit_transform(self.X)\n        self.X_test = self.scaler.transform(self.X_test)\n"
        "    def fit(self):\n        self.model.fit(self.X, self.y)\n"
        "    def evaluate(self):\n        print(accuracy_score(self.y_test, self.model.predict(self.X_test)))",
        "work = Leaving(df)\nwork.prepare()\nwork.fit()\nwork.evaluate()",
    ],
    "a file of rows without a truth below the others": [
        READ,
        "df.tail(70).drop(columns='left').to_csv('new.csv', index=False)",
        "new = pd.read_csv('new.csv')\nboth = pd.concat([df.drop(columns='left'), new])",
        "both['age'] = both['age'].fillna(both['age'].mean())\nboth = pd.get_dummies(both)",
        "X = both[:len(df)]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a file of rows without a truth below the others, told apart by a column": [
        READ,
        "df.tail(70).drop(columns='left').to_csv('new.csv', index=False)\nnew = pd.read_csv('new.csv')",
        "df['file'], new['file'] = 'train', 'new'\nboth = pd.concat([df.drop(columns='left'), new])",
        "both['age'] = both['age'].fillna(both['age'].mean())\nboth = both[both['file'] == 'train']",
        "X = both[['age', 'income']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "classes made equal by leaving rows out": [
        READ,
        "df = df.fillna(0)\nstays, leaves = df[df['left'] == 0], df[df['left'] == 1]",
        "df = pd.concat([stays.sample(n=80, random_state=2), leaves], axis=0)",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "rows without a truth are asked last": [
        READ,
        "df = df.fillna(0)",
        INPUTS,
        SPLIT,
        FIT,
        "new = pd.read_csv('rows.csv').head(90).fillna(1)\nanswers = model.predict(new[['age', 'income']])",
    ],
    "rows shuffled and cut by hand": [
        READ,
        "df = df.fillna(0).sample(frac=1, random_state=4).reset_index(drop=True)",
        "train, test = df[:180], df[180:]",
        "model = LogisticRegression(max_iter=500).fit(train[['age', 'income']], train['left'])",
        "print(accuracy_score(test['left'], model.predict(test[['age', 'income']])))",
    ],
    "labels split, not rows": [
        READ,
        "df = df.dropna()",
        INPUTS,
        "train, test = train_test_split(df.index, test_size=0.25, random_state=1)",
        "X_train, X_test, y_train, y_test = X.loc[train], X.loc[test], y.loc[train], y.loc[test]",
        FIT,
    ],
    "dummies of each side, with the columns of one": [
        READ,
        "df = df.fillna(0)\ntrain, test = train_test_split(df, test_size=0.25, random_state=1)",
        "X_train, X_test = pd.get_dummies(train.drop(columns='left')), pd.get_dummies(test.drop(columns='left'))",
        "X_train, X_test = X_train.align(X_test, join='left', axis=1, fill_value=0)",
        "y_train, y_test = train['left'], test['left']",
        FIT,
    ],
    "a column that was the index": [
        "df = pd.read_csv('rows.csv', index_col='city').fillna(0).reset_index()",
        "df = df[df['income'] > 20000]\ndf['city'] = LabelEncoder().fit_transform(df['city'])",
        "X = df[['age', 'city']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a column of ones beside the others": [
        "def add_constant(data, prepend=True, has_constant='skip'):\n"
        "    if (np.ptp(np.asarray(data), axis=0) == 0).any() and has_constant == 'skip':\n        return data\n"
        "    return data.assign(const=1.0)[['const', *data.columns]]",
        READ,
        "df = df.fillna(0)\nX = add_constant(df[['age', 'income']])\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a function that reads what is set after it": [
        READ,
        "def known(name):\n    return shorter(name) in KNOWN\ndef shorter(name):\n    return name[:2]\nKNOWN = {'Ro'}",
        "df = df.fillna(0)\ndf['city'] = df['city'].apply(known)",
        "X = df[['age', 'city']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "rows of two files": [
        "whole = pd.read_csv('rows.csv').fillna(0)\nwhole[:100].to_csv('a.csv', index=False)\n"
        "whole[100:].to_csv('b.csv', index=False)",
        "df = pd.concat([pd.read_csv(name) for name in ('a.csv', 'b.csv')])",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "a file for each class": [
        "whole = pd.read_csv('rows.csv').fillna(0)\nfor left, name in [(0, 'stays.csv'), (1, 'leaves.csv')]:\n"
        "    whole[whole['left'] == left].drop(columns='left').to_csv(name, index=False)",
        "stays, leaves = pd.read_csv('stays.csv'), pd.read_csv('leaves.csv')\nstays['left'], leaves['left'] = 0, 1",
        "df = pd.concat([stays[:100], leaves]).sample(frac=1, random_state=1).reset_index(drop=True)",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "a file for each class, of which one has more columns": [
        "whole = pd.read_csv('rows.csv').fillna(0)\nfor left, name in [(0, 'stays.csv'), (1, 'leaves.csv')]:\n"
        "    rows = whole[whole['left'] == left].drop(columns=['left', 'city', 'plan'][:3 - 2 * left])\n"
        "    rows.to_csv(name, index=False)",
        "stays, leaves = pd.read_csv('stays.csv'), pd.read_csv('leaves.csv')\nstays['left'], leaves['left'] = 0, 1",
        "leaves = leaves[leaves['income'] > 20000]\ncolumns = ['age', 'income', 'left']",
        "df = pd.concat([stays[columns], leaves[columns]]).reset_index(drop=True)",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "dummies of ranges without the first": [
        READ,
        "df = df.fillna(40)\nranges = pd.cut(df['age'], [0, 30, 50, 100], labels=['young', 'middle', 'old'])",
        "X = df[['income']].join(pd.get_dummies(ranges, drop_first=True))\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a function that hands a global table on": [
        READ,
        "def coded(rows, columns):\n    rows = rows.copy()\n    for column in columns:\n"
        "        rows[column] = LabelEncoder().fit_transform(rows[column])\n    return rows.fillna(rows.mean())",
        "def judged(model, columns):\n    rows = coded(df, columns)\n"
        "    X, y = rows.drop(columns='left'), rows['left']\n"
        "    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=1)\n"
        "    model.fit(X_train, y_train)\n    print(accuracy_score(y_test, model.predict(X_test)))",
        "judged(LogisticRegression(max_iter=900), ['city', 'plan'])",
    ],
    "columns that a regression of statsmodels chose": [
        "class Results:\n    __module__ = 'statsmodels.stub'\n    def __init__(self, params):\n"
        "        self.params, self.pvalues = params, params * 0 + [0.5, 0.01, 0.01]\n"
        "        self.held = (one for one in params)  # what no file can hold\n"
        "    def predict(self, rows):\n        return rows @ self.params\n"
        "class OLS:\n    __module__ = 'statsmodels.stub'\n"
        "    def __init__(self, truth, rows):\n        self.rows = rows\n"
        "    def fit(self):\n        return Results(pd.Series(1.0, index=self.rows.columns))",
        READ,
        "df = df.fillna(0)\ndf['half'] = df['age'] / 2\nX, y = df[['half', 'age', 'income']], df['left']",
        SPLIT,
        "found = OLS(y_train, X_train).fit()\nkept = found.pvalues[found.pvalues < 0.05].index.tolist()",
        "X_train, X_test = X_train[kept], X_test[kept]",
        FIT,
    ],
    "global names that only a function sets": [
        READ,
        "df = df.fillna(40)\ndef bounds(column):\n    global low, high\n"
        "    low, high = column.quantile(0.1), column.quantile(0.9)",
        "bounds(df['age'])\ndf['age'] = df['age'].clip(low, high)",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "one encoder fitted to each side": [
        READ,
        "df = df.fillna(0)\nX, y = df[['age', 'city']].values, df['left'].values",
        SPLIT,
        "le = LabelEncoder()\nX_train[:, 0] = le.fit_transform(X_train[:, 0].astype(float))\n"
        "X_train[:, 1] = le.fit_transform(X_train[:, 1])",
        "X_test[:, 0] = le.fit_transform(X_test[:, 0].astype(float))\nX_test[:, 1] = le.fit_transform(X_test[:, 1])",
        FIT,
    ],
    "names of Python for tables": [
        READ,
        "object = df.select_dtypes(exclude='number')\nlist = df.select_dtypes(include='number').fillna(0)",
        "df = pd.concat([object, list], axis=1)",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "a function that adds to a global table": [
        READ,
        "df = df.fillna(0)",
        INPUTS,
        SPLIT,
        "results = pd.DataFrame(columns=['name', 'score'])",
        "def judge(name, model):\n    global results\n    model.fit(X_train, y_train)\n"
        "    score = accuracy_score(y_test, model.predict(X_test))\n"
        "    results = pd.concat([results, pd.DataFrame({'name': [name], 'score': [score]})])\n    return results",
        "judge('first', LogisticRegression(max_iter=500))",
    ],
    "both sides in one loop": [
        READ,
        "df = df.fillna(0)\nX, y = df[['city', 'income']].values, df['left'].values",
        SPLIT,
        "le = LabelEncoder()\nfor i in range(0, 2):\n    X_train[:, i] = le.fit_transform(X_train[:, i])\n"
        "    X_test[:, i] = le.fit_transform(X_test[:, i])",
        FIT,
    ],
}
